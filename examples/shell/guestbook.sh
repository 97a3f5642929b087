#!/bin/sh
# Adds the line that a client sends to the book, and prints the last ten.
book=guestbook.txt

touch "$book"
if read -r line; then
  # No control characters, which could change the terminal of who reads them.
  line=$(printf '%s' "$line" | tr -d '\000-\037\177' | cut -c 1-200)
  printf '%s\n' "$line" >> "$book"
fi
tail -n 10 "$book"
