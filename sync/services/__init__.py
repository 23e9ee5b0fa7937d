"""Everything sync does: dispatch, lanes, deliver, exceptions, replay, values, targets, drift."""
