"""OneDrive: files that a person may see."""
