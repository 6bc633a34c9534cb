"""The reproduction ledger: published figures beside ours, each measured again by one command."""
