"""Steps: run one after the other, and parked where they wait for a message, a call or a send."""
