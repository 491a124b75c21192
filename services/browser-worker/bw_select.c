#include "bw_select.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *const TYPES[] = {"text", "number", "url", "html", "date", "bool", NULL};

/* ---- the script ------------------------------------------------------------------------------- */

/* One round trip, so no reference can go stale between fields.  A row is an array: chromedriver sorts objects.
 *
 * clean: half of a surrogate pair, or a zero, makes an answer that chromedriver or our parser cannot read.
 * number: the first one there is, with its sign also before a currency; a blank or ' only between groups of three.  What
 *   stands last of . and , is the decimal mark, unless it comes twice or a comma stands before three digits.
 * day: V8 reads nearly anything as a date, "Item 12" as December 2001: a year must be there.  Without a time of day it is
 *   the day that was written, not that day in UTC. */
const char bw_select_script[] =
    "var spec=arguments[0],max=arguments[1];"
    "function clean(s){return "
    "String(s).replace(/\\p{Cs}/gu,'\\ufffd').replace(/\\0/g,'\\ufffd');}"
    "function text(s){return clean(s).replace(/\\s+/g,' ').trim();}"
    "function number(s){"
    "var m=/\\d{1,3}(?:[ "
    "\\u00a0\\u202f'\\u2019]\\d{3})+(?!\\d)(?:[.,]\\d+)?|\\d[\\d.,]*|(?<![\\w.,])[.,]\\d+/"
    ".exec(s);"
    "if(!m)return null;"
    "var t=m[0].replace(/[^\\d.,]/g,'').replace(/[.,]+$/,''),"
    "d=t.lastIndexOf('.'),c=t.lastIndexOf(','),mark=c>d?',':'.',other=c>d?'.':',',"
    "at=t.lastIndexOf(mark),"
    "whole=t.indexOf(mark)!==at||(c>d&&d<0&&t.length-c===4&&c>0);"
    "t=t.split(other).join('');"
    "t=whole?t.split(mark).join(''):t.replace(mark,'.');"
    "var "
    "n=Number(t),minus=/(^|[\\s(])[-\\u2212]\\s?[^\\s\\w.,]?\\s?$/.test(s.slice(0,m.index));"
    "return isFinite(n)?(minus?-n:n):null;}"
    "function day(s){"
    "var t=text(s),d=new Date(t);"
    "if(/^\\d{4}-\\d\\d-\\d\\d$/.test(t))return isNaN(d)?null:t;"
    "if(isNaN(d)||!/\\d{4}/.test(t))return null;"
    "if(/\\d:\\d/.test(t))return d.toISOString();"
    "return new Date(d-d.getTimezoneOffset()*60000).toISOString().slice(0,10);}"
    "function link(s,base){try{return clean(new URL(s.trim(),base).href);}catch(x){return "
    "null;}}"
    "function value(e,f){"
    "if(f.type==='html')return clean(e.innerHTML);"
    "var a=f.attribute,v=a?e.getAttribute(a):null,isLink=/^(href|src|action)$/.test(a);"
    "if(a&&v===null)return null;"
    "if(f.type==='url'&&!a){v=e.getAttribute('href')||e.getAttribute('src');"
    "return v!==null?link(v,document.baseURI):link(e.textContent);}"
    "if(!a)v=f.type==='date'&&e.dateTime||(e.innerText===undefined?e.textContent:e.innerText);"
    "if(f.type==='number')return number(v);"
    "if(f.type==='date')return day(v);"
    "if(f.type==='url'||isLink)return link(v,document.baseURI);"
    "return text(v);}"
    "function bool(e,f){return !!e&&(!f.attribute||e.hasAttribute(f.attribute));}"
    "function field(root,f){"
    "if(f.many)return Array.prototype.map.call(root.querySelectorAll(f.css),"
    "function(e){return f.type==='bool'?bool(e,f):value(e,f);})"
    ".filter(function(v){return v!==null;});"
    "var e=f.css===''?root:root.querySelector(f.css);"
    "return f.type==='bool'?bool(e,f):e?value(e,f):null;}"
    "function try_css(css){if(css)document.querySelector(css);}"
    "var part='\"\"';"
    "try{if(spec.row!==null)try_css(spec.row||'*');"
    "spec.fields.forEach(function(f){part=f.name;try_css(f.css);});}"
    "catch(x){return{wrong:part+': '+clean(x.message)};}"
    "var roots=spec.row===null?[document.documentElement]:"
    "Array.prototype.slice.call(document.querySelectorAll(spec.row),0,max);"
    "return{rows:roots.map(function(r){"
    "return spec.fields.map(function(f){return field(r,f);});})};";

/* ---- what is asked ------------------------------------------------------------------------------ */

static bool is_type(const char *word)
{
    for (const char *const *type = TYPES; *type; type++)
        if (str_equal(*type, word))
            return true;
    return false;
}

static bool is_attribute(const char *word)
{
    if (!*word)
        return false;
    for (; *word; word++)
        if (!isalnum((unsigned char)*word) && !strchr("-_:", *word))
            return false;
    return true;
}

/* The schema's word for a field: "number?" is number; a string may be any text. */
static const char *type_of_schema(const struct json *type)
{
    const char *word = json_str(json_type(type) == JSON_ARRAY ? json_at(type, 0) : type);

    for (const char *const *known = TYPES; word && *known; known++)
        if (str_starts(word, *known))
            return *known;
    return "text";
}

/* A type stands behind the last `|`, an attribute behind the last `@`; anything else there belongs to the css. */
static struct json *read_field(const char *name, const char *text, const struct json *schema)
{
    AUTO(mem_free) char *css = mem_strdup(text);
    const struct json *of    = json_get(schema, name);
    const char *type = type_of_schema(of), *attribute = "";
    char *bar          = strrchr(css, '|'), *at;
    struct json *field = json_new_object();

    if (bar && is_type(bar + 1)) {
        type = bar + 1;
        *bar = '\0';
    }
    at = strrchr(css, '@');
    if (at && is_attribute(at + 1)) {
        attribute = at + 1;
        *at       = '\0';
    }
    json_set(field, "name", json_new_str(name));
    json_set(field, "css", json_new_str(css));
    json_set(field, "attribute", json_new_str(attribute));
    json_set(field, "type", json_new_str(type));
    json_set(field, "many", json_new_bool(json_type(of) == JSON_ARRAY));
    return field;
}

static struct err refuse(char *why, size_t why_size, const char *name, const char *words)
{
    str_format(why, why_size, "select.%.60s: %s", name, words);
    return err_of(ERR_REJECT, "read select");
}

/* What css cannot give. */
static bool is_nested(const struct json *type)
{
    if (json_type(type) == JSON_ARRAY)
        type = json_at(type, 0);
    return json_type(type) == JSON_OBJECT || json_type(type) == JSON_ARRAY;
}

static struct err read_fields(const struct json *select, const struct json *schema,
                              struct json *spec, char *why, size_t why_size)
{
    struct json *fields = json_new_array();
    const struct json *value;
    const char *name;

    json_set(spec, "row", json_new_null());
    json_set(spec, "fields", fields);
    for (size_t it = 0; json_each(select, &it, &name, &value);) {
        if (!json_str(value))
            return refuse(why, why_size, name, "css is needed, in a string");
        if (!*name && !*json_str(value))
            return refuse(why, why_size, name, "the row needs css");
        if (!*name) {
            json_set(spec, "row", json_new_str(json_str(value)));
            continue;
        }
        if (is_nested(json_get(schema, name)))
            return refuse(why, why_size, name, "css gives no objects and no arrays of arrays");
        struct json *field = read_field(name, json_str(value), schema);
        json_add(fields, field);
        if (json_bool(json_get(field, "many")) && !*json_str(json_get(field, "css")))
            return refuse(why, why_size, name, "an array needs css, for its elements");
    }
    return json_count(fields) > 0 ? OK : refuse(why, why_size, "", "names no field");
}

struct err bw_select_read(const struct json *select, const struct json *schema,
                          struct json **ret, char *why, size_t why_size)
{
    struct json *spec = json_new_object();

    struct err e = read_fields(select, schema, spec, why, why_size);
    if (failed(e))
        json_free(&spec);
    else
        *ret = spec;
    return e;
}

/* ---- what came of it ------------------------------------------------------------------------------ */

struct json *bw_select_rows(const struct json *spec, const struct json *rows)
{
    const struct json *fields = json_get(spec, "fields");
    struct json *all          = json_new_array();

    for (size_t i = 0; i < json_count(rows); i++) {
        struct json *row = json_new_object();

        for (size_t f = 0; f < json_count(fields); f++) {
            const struct json *value = json_at(json_at(rows, i), f);
            json_set(row, json_str(json_get(json_at(fields, f), "name")),
                     value ? json_ref(value) : json_new_null());
        }
        json_add(all, row);
    }
    return all;
}
