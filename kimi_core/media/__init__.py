"""Pictures, videos and documents as hosts take them. No network here."""
