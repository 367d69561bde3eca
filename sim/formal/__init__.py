"""Proofs: small blocks with free inputs, and what must hold in every state they can reach."""
