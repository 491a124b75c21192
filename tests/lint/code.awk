# code - C without its comments and without what stands inside quotes, as "file:line:text".
FNR == 1 { comment = 0 }
{
    out = ""; quote = ""; n = length($0)
    for (i = 1; i <= n; i++) {
        c = substr($0, i, 1); two = substr($0, i, 2)
        if (comment) { if (two == "*/") { comment = 0; i++; out = out " " } }
        else if (quote != "") { if (c == "\\") i++; else if (c == quote) { quote = ""; out = out c } }
        else if (two == "/*") { comment = 1; i++ }
        else if (two == "//") { out = out two; break }
        else { if (c == "\"" || c == "'") quote = c; out = out c }
    }
    if (out !~ /^[ \t]*$/) print FILENAME ":" FNR ":" out
}
