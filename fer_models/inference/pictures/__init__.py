"""Pictures from wherever people have them: files, folders, archives, stdin, Python objects."""
