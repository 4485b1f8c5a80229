"""The SQL part of the broker: it holds the credentials, owns every transaction, and rolls each preview back."""
