"""The verbs of `faceveil aws`, a module for each."""
