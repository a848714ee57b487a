"""From a figure and a network to the pictures and tables of that figure."""
