"""Convolutions and the windows of pooling, without ever laying windows out as columns in memory."""
