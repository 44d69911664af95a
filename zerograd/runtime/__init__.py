"""When graphs run, and what the running needs: programs, devices, random generators."""
