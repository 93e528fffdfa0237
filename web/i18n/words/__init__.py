"""The console's words, a file for each page: `key: (English, Chinese)`."""
