"""What calls were made: reads the gateway's access log."""
