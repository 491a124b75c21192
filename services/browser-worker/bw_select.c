#include "bw_select.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *const TYPES[] = {"text", "number", "url", "html", "date", "bool", NULL};

/* One round trip, so no reference can go stale between fields.  Only our own script ever runs in a page. */
const char bw_select_script[] =
    "var spec=arguments[0],max=arguments[1];"
    "function text(s){return String(s).replace(/\\s+/g,' ').trim();}"
    "function num(s){var "
    "m=String(s).replace(/[\\s\\u00a0]/g,'').match(/-?\\d[\\d.,]*/);if(!m)return null;"
    "var t=m[0].replace(/[.,]+$/,''),d=t.lastIndexOf('.'),c=t.lastIndexOf(',');"
    "if(c>d&&t.length-c-1!==3)t=t.replace(/\\./g,'').replace(',','.');else "
    "t=t.replace(/,/g,'');"
    "var n=Number(t);return isFinite(n)?n:null;}"
    "function day(s){var d=new Date(text(s));if(isNaN(d))return null;var i=d.toISOString();"
    "return /\\d:\\d/.test(s)?i:new "
    "Date(d-d.getTimezoneOffset()*60000).toISOString().slice(0,10);}"
    "function one(root,f){var e=f.css===''?root:root.querySelector(f.css);"
    "if(f.type==='bool')return f.attribute&&e?e.hasAttribute(f.attribute):!!e;if(!e)return "
    "null;"
    "if(f.type==='html')return e.innerHTML;var a=f.attribute,v=a?e.getAttribute(a):null;"
    "if(a&&v===null)return null;if(!a)v=f.type==='url'?(e.href||e.src||e.textContent):"
    "(e.innerText===undefined?e.textContent:e.innerText);"
    "if(f.type==='number')return num(v);if(f.type==='date')return day(v);"
    "if(f.type==='url'||(a&&/^(href|src|action)$/.test(a))){try{return new "
    "URL(v,document.baseURI).href;}catch(x){return null;}}"
    "return text(v);}"
    "var "
    "roots=spec.row===null?[document]:Array.prototype.slice.call(document.querySelectorAll("
    "spec.row),0,max);"
    "return roots.map(function(r){var o={};spec.fields.forEach(function(f){"
    "o[f.name]=one(r===document?document.documentElement:r,f);});return o;});";

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

/* A type stands behind the last `|`, an attribute behind the last `@`; anything else there belongs to the css. */
static struct json *read_field(const char *name, const char *text)
{
    AUTO(mem_free) char *css = mem_strdup(text);
    const char *type = "text", *attribute = "";
    char *bar          = strrchr(css, '|'), *at;
    struct json *field = json_new_object();

    if (bar && is_type(bar + 1)) {
        type = bar + 1;
        *bar = 0;
    }
    at = strrchr(css, '@');
    if (at && is_attribute(at + 1)) {
        attribute = at + 1;
        *at       = 0;
    }
    json_set(field, "name", json_new_str(name));
    json_set(field, "css", json_new_str(css));
    json_set(field, "attribute", json_new_str(attribute));
    json_set(field, "type", json_new_str(type));
    return field;
}

struct err bw_select_read(const struct json *select, struct json **ret, char *why,
                          size_t why_size)
{
    struct json *spec = json_new_object(), *fields = json_new_array();
    const char *name;
    const struct json *value;

    json_set(spec, "row", json_new_null());
    for (size_t it = 0; json_each(select, &it, &name, &value);) {
        if (!json_str(value)) {
            str_format(why, why_size, "select.%s: %s where css is needed", name,
                       json_type_word(value));
            json_free(&spec);
            json_free(&fields);
            return err_of(ERR_REJECT, "read select");
        }
        if (!*name)
            json_set(spec, "row", json_new_str(json_str(value)));
        else
            json_add(fields, read_field(name, json_str(value)));
    }
    json_set(spec, "fields", fields);
    *ret = spec;
    return OK;
}
