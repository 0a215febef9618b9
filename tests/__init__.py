"""The tests mirror src/insights_mini; tests/e2e holds the slow proofs. Run: python3 -m tests"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src"))
