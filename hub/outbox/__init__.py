"""Messages that leave in the transaction that caused them."""
