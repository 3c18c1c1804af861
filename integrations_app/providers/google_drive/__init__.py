"""Google Drive: files that a person may see."""
