"""In which frames faces are detected: in every one, or in as few as needed."""
