"""What a network is: its program, input, taps and classes."""
