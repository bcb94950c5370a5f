"""Messages that were accepted and wait on the disk until their channel can take them."""
