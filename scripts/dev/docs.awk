# Makes one module for ldoc from the areas of the core: each file is a section
# with the comment at its head as the text, followed by its doc comments.
#   awk -f scripts/dev/docs.awk csrc/*.c

BEGIN { print "/***\nThe kernel in Lua clothes.\n@module farside.core\n*/" }

FNR == 1 {
  area = FILENAME
  gsub(/.*\/|\.c$/, "", area)
  head = $0 == "/*"
  text = ""
  next
}

head && /^ \*\// { print "/***" text "\n@section " area "\n*/"; head = 0 }
head { sub(/^ \* ?/, ""); text = text "\n" $0 }

/^\/\*\*\*/ { inside = 1 }
inside
/^ ?\*\// { inside = 0 }
