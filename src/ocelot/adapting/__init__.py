"""An encoder adapted to a catalogue: from its pictures and their metadata to a better encoder."""
