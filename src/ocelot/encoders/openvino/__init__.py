"""The encoder computed by OpenVINO."""
