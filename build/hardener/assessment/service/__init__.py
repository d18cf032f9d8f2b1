"""Visit a running service: few requests, only to hosts that the operator has declared as their own."""
