"""Why a head attends where it does, as the screen says it."""
