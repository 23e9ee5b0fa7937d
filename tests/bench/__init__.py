"""The bench: what the hub does per second, each figure beside a limit measured in the same run. `python -m tests.bench`"""
