"""What people look at: the pages, what they are made of, and the data that they alone need."""
