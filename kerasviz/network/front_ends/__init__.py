"""Front ends: what turns a sound into the spectrogram that a network takes, as data."""
