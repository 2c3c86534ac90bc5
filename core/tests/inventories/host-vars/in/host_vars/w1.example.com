x: file
