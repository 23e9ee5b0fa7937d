"""The review of a change request as a page shows it: differences, risks, surroundings, approval, decision."""
