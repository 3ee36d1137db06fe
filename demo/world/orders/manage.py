#!/usr/bin/env python3
"""Entry of the Django project."""
import os
import sys

# A release folder stays as it was unpacked.
sys.dont_write_bytecode = True


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
