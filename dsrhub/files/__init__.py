"""Files, from the folder to the line: opened safely, stored, unpacked, and cut into blocks of lines."""
