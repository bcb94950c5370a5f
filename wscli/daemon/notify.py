"""What a service manager is told: `sd_notify(3)`."""
