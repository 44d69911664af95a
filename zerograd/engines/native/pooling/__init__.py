"""Windows given by tables: maxima and weighted sums of what lies in them, and values put back at places."""
