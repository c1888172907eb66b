"""Factors of the planner and of the simulator, fitted to what was measured."""
