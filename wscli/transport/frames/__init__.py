"""The part of a connection that both adapters share: batches, the write queue, pings and the closing handshake."""
