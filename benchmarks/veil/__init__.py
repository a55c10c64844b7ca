"""The veil itself: its price, whether each one is there, and what a viewer sees."""
