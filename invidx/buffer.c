/* buffer - adds a document's words to tables in memory, and finds or drops it by key. */
#include "invidx/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/walk.h"

/* ---- tables of words ---- */
static inline uint64_t low_bytes(uint64_t v, size_t n)
{
    return n >= 8 ? v : v & ((1ull << (8 * n)) - 1);
}

struct word_key {
    uint64_t lo, hi, hash;
};

/* text must have 16 readable bytes.                                                                    */
static inline struct word_key word_key(const char *text, size_t n)
{
    struct word_key k;
    SEAM_WALK(n > 0);

    if (n <= 16) {
        k.lo = low_bytes(seam_get_u64(text), n);
        k.hi = n <= 8 ? 0 : low_bytes(seam_get_u64(text + 8), n - 8);
        k.hash = (k.lo ^ (k.hi * 0x9e3779b97f4a7c15ull)) * 0xd6e8feb86659fd93ull;
        k.hash ^= k.hash >> 29;
        k.hash *= 0xbf58476d1ce4e5b9ull;
        k.hash ^= k.hash >> 32;
    } else {
        k.hash = k.lo = seam_hash64(text, n, 0);
        k.hi = 0;
    }
    return k;
}

static bool table_grow(struct invidx_word_table *t)
{
    size_t size = t->size == 0 ? 1024 : t->size < 1u << 18 ? 4 * t->size : 2 * t->size;
    struct invidx_word_slot *slots = calloc(size, sizeof *slots);
    assert(2 * t->used >= t->size);
    assert((t->size & (t->size - 1)) == 0);

    if (slots == NULL) return false;
    for (size_t i = 0; i < t->size; i++) {
        struct invidx_word_slot *s = &t->slots[i];
        size_t j;

        if (s->len == 0) continue;
        if (s->len > 16) {
            j = s->lo & (size - 1);
        } else {
            char text[16];

            memcpy(text, &s->lo, 8);
            memcpy(text + 8, &s->hi, 8);
            j = word_key(text, s->len).hash & (size - 1);
        }
        while (slots[j].len != 0) j = (j + 1) & (size - 1);
        slots[j] = *s;
    }
    assert(size > t->size);
    free(t->slots);
    t->slots = slots;
    t->size = size;
    return true;
}

/* The slot of a word; a new one has *fresh set and its term to be filled in. NULL = no memory.         */
static inline struct invidx_word_slot *table_slot_of(struct invidx_word_table *t, struct word_key k,
                                                     const char *text, size_t n, bool *fresh)
{
    size_t i;

    *fresh = false;
    if (seam_unlikely(2 * t->used >= t->size) && !table_grow(t)) return NULL;
    for (i = k.hash & (t->size - 1); t->slots[i].len != 0; i = (i + 1) & (t->size - 1)) {
        struct invidx_word_slot *s = &t->slots[i];

        if (s->len != n || s->lo != k.lo) continue;
        if (n <= 16 ? s->hi == k.hi : memcmp(t->text.data + s->hi, text, n) == 0) {
            *fresh = s->term == TERM_NEW;
            return s;
        }
    }
    *fresh = true;
    if (n > 16) {
        k.hi = t->text.size;
        seam_buf_append(&t->text, text, n);
        if (!seam_buf_ok(&t->text)) return NULL;
    }
    assert(n > 0 && n <= UINT32_MAX);
    assert(t->used < t->size);
    t->used++;
    t->slots[i] = (struct invidx_word_slot){k.lo, k.hi, (uint32_t)n, TERM_NEW};
    return &t->slots[i];
}

static struct invidx_word_slot *table_slot(struct invidx_word_table *t, const char *text, size_t n,
                                           bool *fresh)
{
    return table_slot_of(t, word_key(text, n), text, n, fresh);
}

/* The slot of a word that is there already, or NULL.                                                    */
static struct invidx_word_slot *table_find(const struct invidx_word_table *t, const char *text,
                                           size_t n)
{
    struct word_key k = word_key(text, n);
    SEAM_WALK(n > 0);
    SEAM_WALK((t->size & (t->size - 1)) == 0);

    if (t->size == 0) return NULL;
    for (size_t i = k.hash & (t->size - 1); t->slots[i].len != 0; i = (i + 1) & (t->size - 1)) {
        struct invidx_word_slot *s = &t->slots[i];

        if (s->len != n || s->lo != k.lo) continue;
        if (n <= 16 ? s->hi == k.hi : memcmp(t->text.data + s->hi, text, n) == 0)
            return s->term == TERM_NEW ? NULL : s;
    }
    return NULL;
}

static void table_clear(struct invidx_word_table *t)
{
    assert(t->used <= t->size);
    free(t->slots);
    seam_buf_free(&t->text);
    assert(t->text.data == NULL);
    memset(t, 0, sizeof *t);
}

/* ---- the buffer ---- */
void invidx_buffer_init(struct invidx_buffer *b, const struct invidx_schema *schema,
                        const struct invidx_analyzer *analyzer)
{
    assert(schema->field_count >= 1 && schema->field_count <= INVIDX_FIELDS_MAX);
    assert(schema->attr_count <= INVIDX_ATTRS_MAX);
    memset(b, 0, sizeof *b);
    b->schema = schema;
    b->analyzer = analyzer;
}

void invidx_buffer_free(struct invidx_buffer *b)
{
    assert(b->doc_count <= b->doc_cap);
    assert(b->token_count <= b->token_cap);
    table_clear(&b->words);
    table_clear(&b->values_by_text);
    seam_buf_free(&b->term_text);
    seam_buf_free(&b->value_text);
    free(b->terms);
    free(b->tokens);
    free(b->docs);
    free(b->slots);
    free(b->ints);
    free(b->nulls);
    free(b->by_key);
    free(b->values);
    memset(b, 0, sizeof *b);
}

void invidx_buffer_clear(struct invidx_buffer *b)
{
    const struct invidx_schema *schema = b->schema;
    const struct invidx_analyzer *analyzer = b->analyzer;
    assert(schema != NULL);
    assert(analyzer != NULL);

    invidx_buffer_free(b);
    invidx_buffer_init(b, schema, analyzer);
}

/* What it holds, and what flushing will need (the sorted tokens).                                      */
size_t invidx_buffer_bytes(const struct invidx_buffer *b)
{
    assert(b->doc_count <= b->doc_cap);
    assert(b->term_count <= b->term_cap);
    return b->token_count * 12 + b->words.size * sizeof *b->words.slots + b->term_text.size +
           b->term_count * 32 +
           b->doc_count *
               (sizeof *b->docs + 64 + 9 * b->schema->attr_count + 4 * b->schema->field_count) +
           b->value_text.size;
}

static bool grow(void **p, size_t *cap, size_t want, size_t size)
{
    size_t n = *cap < 64 ? 64 : *cap;
    void *q;
    assert(size > 0);

    if (want <= *cap) return true;
    while (n < want) n *= 2;
    q = realloc(*p, n * size);
    if (q == NULL) return false;
    assert(n >= want);
    *p = q;
    *cap = n;
    return true;
}

static bool new_term(struct invidx_buffer *b, const char *text, size_t n, uint32_t *out)
{
    assert(n > 0 && n <= INVIDX_TERM_MAX);
    if (!grow((void **)&b->terms, &b->term_cap, b->term_count + 1, sizeof *b->terms)) return false;
    b->terms[b->term_count] = (struct invidx_text_ref){(uint32_t)b->term_text.size, (uint32_t)n};
    seam_buf_append(&b->term_text, text, n);
    if (!seam_buf_ok(&b->term_text)) return false;
    assert(b->term_count < b->term_cap);
    assert(b->term_count < TERM_NEW);
    *out = (uint32_t)b->term_count++;
    return true;
}

static bool term_is(const struct invidx_buffer *b, uint32_t term, const char *text, size_t n)
{
    assert(term == TERM_HOLE || term < b->term_count);
    assert(n > 0);
    return term != TERM_HOLE && b->terms[term].len == n &&
           memcmp(b->term_text.data + b->terms[term].at, text, n) == 0;
}

/* First sight of a surface word: analysis runs. A stem has a slot of its own (its text after a byte 1, which
 * no word begins with), since it need not be a word of any text; where it is one, they share the term.   */
static bool resolve_word(struct invidx_buffer *b, struct invidx_token *t, uint32_t *out)
{
    char term[INVIDX_TERM_MAX + 9] = {1};
    size_t n = invidx_analyzer_term(b->analyzer, t->text, t->len, term + 1);
    struct invidx_word_slot *s, *plain;
    bool fresh;
    assert(t->len > 0 && t->len <= INVIDX_TERM_MAX);

    *out = TERM_HOLE;
    assert(n <= t->len);
    if (n == 0) return true;
    if (n == t->len && memcmp(term + 1, t->text, n) == 0) { /* its own term */
        s = table_find(&b->words, term, n + 1);
        if (s == NULL) return new_term(b, t->text, n, out);
        assert(s->term == TERM_HOLE || s->term < b->term_count);
        *out = s->term;
        return true;
    }
    s = table_slot(&b->words, term, n + 1, &fresh);
    if (s == NULL) return false;
    if (fresh) {
        uint32_t number = TERM_HOLE;

        plain = table_find(&b->words, term + 1, n);
        if (plain != NULL && term_is(b, plain->term, term + 1, n))
            number = plain->term;
        else if (!new_term(b, term + 1, n, &number))
            return false;
        s->term = number;
    }
    *out = s->term;
    return true;
}

/* Words are looked up a batch at a time, each slot asked from memory before it is needed.                */
enum { BATCH = 16 };
struct invidx_batch {
    struct invidx_token t[BATCH];
    struct word_key key[BATCH];
};

static bool add_word(struct invidx_buffer *b, struct invidx_token *t, struct word_key key)
{
    bool fresh;
    struct invidx_word_slot *s = table_slot_of(&b->words, key, t->text, t->len, &fresh);
    SEAM_WALK(t->len <= INVIDX_TERM_MAX);

    if (s == NULL) return false;
    if (seam_unlikely(fresh)) {
        uint32_t term = TERM_HOLE;

        if (!resolve_word(b, t, &term)) return false;
        s = table_slot_of(&b->words, key, t->text, t->len, &fresh); /* the table may have moved */
        if (s == NULL) return false;
        s->term = term;
    }
    SEAM_WALK(b->token_count < b->token_cap);
    SEAM_WALK(s->term == TERM_HOLE || s->term < b->term_count);
    b->tokens[b->token_count++] = s->term;
    return true;
}

static bool add_field(struct invidx_buffer *b, struct invidx_text text, uint32_t *slots)
{
    struct invidx_tokens tokens = invidx_tokens_of(b->analyzer, text.s, text.n);
    struct invidx_batch batch;
    size_t n;

    *slots = 0;
    assert(b->words.size > 0);
    do {
        for (n = 0; n < BATCH && *slots + n < INVIDX_FIELD_TOKENS_MAX &&
                    invidx_tokens_next(&tokens, &batch.t[n]);
             n++) {
            batch.key[n] = word_key(batch.t[n].text, batch.t[n].len);
            __builtin_prefetch(&b->words.slots[batch.key[n].hash & (b->words.size - 1)]);
        }
        if (b->token_count + n > b->token_cap &&
            !grow((void **)&b->tokens, &b->token_cap, b->token_count + n, sizeof *b->tokens))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!add_word(b, &batch.t[i], batch.key[i])) return false;
        *slots += (uint32_t)n;
    } while (n == BATCH);
    assert(*slots <= INVIDX_FIELD_TOKENS_MAX);
    assert(b->token_count <= b->token_cap);
    return true;
}

static bool add_keyword(struct invidx_buffer *b, uint32_t attr, const struct seam_value *v,
                        int64_t *out)
{
    char text[INVIDX_KEYWORD_MAX + 32] = {0};
    size_t n = 1u + v->len;
    struct invidx_word_slot *s;
    bool fresh;
    assert(attr < b->schema->attr_count);
    assert(v->len <= INVIDX_KEYWORD_MAX);

    text[0] = (char)(attr + 1);
    memcpy(text + 1, v->s, v->len);
    s = table_slot(&b->values_by_text, text, n, &fresh);
    if (s == NULL) return false;
    if (fresh) {
        if (!grow((void **)&b->values, &b->value_cap, b->value_count + 1, sizeof *b->values))
            return false;
        b->values[b->value_count] = (struct invidx_text_ref){(uint32_t)b->value_text.size, v->len};
        seam_buf_append(&b->value_text, v->s, v->len);
        if (!seam_buf_ok(&b->value_text)) return false;
        s->term = (uint32_t)++b->value_count;
    }
    assert(s->term >= 1 && s->term <= b->value_count);
    *out = s->term;
    return true;
}

static enum seam_status check_attrs(const struct invidx_schema *s, const struct invidx_doc *doc,
                                    struct seam_fault *f)
{
    assert(s->attr_count == 0 || doc->attrs != NULL);
    for (size_t i = 0; i < s->attr_count; i++) {
        const struct seam_value *v = &doc->attrs[i];
        bool number = v->type == SEAM_V_INT || v->type == SEAM_V_DECIMAL ||
                      v->type == SEAM_V_TIME || v->type == SEAM_V_BOOL;

        if (v->type == SEAM_V_NULL) continue;
        if (s->attrs[i].type == INVIDX_INT64 ? !number : v->type != SEAM_V_TEXT)
            return seam_fault_set(f, SEAM_INVALID, s->attrs[i].name, SEAM_FAULT_NO_OFFSET,
                                  "attribute %s cannot take a %s", s->attrs[i].name,
                                  seam_value_type_name((enum seam_value_type)v->type));
        if (v->type == SEAM_V_TEXT && v->len > INVIDX_KEYWORD_MAX)
            return seam_fault_set(f, SEAM_LIMIT, s->attrs[i].name, SEAM_FAULT_NO_OFFSET,
                                  "keyword of %u bytes; at most %d", v->len, INVIDX_KEYWORD_MAX);
    }
    assert(s->attr_count <= INVIDX_ATTRS_MAX);
    return SEAM_OK;
}

static bool reserve_doc(struct invidx_buffer *b)
{
    size_t cap, want = (size_t)b->doc_count + 1;
    size_t f = b->schema->field_count, a = b->schema->attr_count + 1;
    assert(b->doc_count <= b->doc_cap);

    if (b->doc_count < b->doc_cap) return true;
    cap = b->doc_cap;
    if (!grow((void **)&b->docs, &cap, want, sizeof *b->docs)) return false;
    cap = b->doc_cap;
    if (!grow((void **)&b->slots, &cap, want, f * sizeof *b->slots)) return false;
    cap = b->doc_cap;
    if (!grow((void **)&b->ints, &cap, want, a * sizeof *b->ints)) return false;
    cap = b->doc_cap;
    if (!grow((void **)&b->nulls, &cap, want, a)) return false;
    assert(cap >= want && cap <= UINT32_MAX);
    b->doc_cap = (uint32_t)cap;
    return true;
}

static bool index_key(struct invidx_buffer *b, uint64_t key, uint32_t doc)
{
    size_t i;
    assert(doc < UINT32_MAX);
    assert((b->by_key_size & (b->by_key_size - 1)) == 0);

    if (2 * ((size_t)doc + 1) > b->by_key_size) {
        size_t size = b->by_key_size == 0 ? 256 : 4 * b->by_key_size;
        uint32_t *old = b->by_key, *table = calloc(size, sizeof *table);

        if (table == NULL) return false;
        b->by_key = table;
        b->by_key_size = size;
        free(old);
        for (uint32_t d = 0; d < doc; d++)
            if (!index_key(b, b->docs[d].key, d)) return false;
    }
    for (i = seam_hash64_u64(key) & (b->by_key_size - 1); b->by_key[i] != 0;
         i = (i + 1) & (b->by_key_size - 1))
        if (b->docs[b->by_key[i] - 1].key == key) break;
    assert(b->by_key_size > doc);
    b->by_key[i] = doc + 1;
    return true;
}

int64_t invidx_buffer_find(const struct invidx_buffer *b, uint64_t key)
{
    assert((b->by_key_size & (b->by_key_size - 1)) == 0);
    assert(b->by_key_size == 0 || b->by_key != NULL);
    if (b->by_key_size == 0 || key > b->top_key) return -1;
    for (size_t i = seam_hash64_u64(key) & (b->by_key_size - 1); b->by_key[i] != 0;
         i = (i + 1) & (b->by_key_size - 1))
        if (b->docs[b->by_key[i] - 1].key == key)
            return b->docs[b->by_key[i] - 1].death == SEAM_LSN_MAX ? (int64_t)b->by_key[i] - 1 : -1;
    return -1;
}

enum seam_status invidx_buffer_add(struct invidx_buffer *b, const struct invidx_doc *doc,
                                   seam_lsn_t lsn, struct seam_fault *f)
{
    const struct invidx_schema *s = b->schema;
    uint32_t d = b->doc_count;
    size_t first = b->token_count, attrs = s->attr_count + 1;
    enum seam_status st = check_attrs(s, doc, f);
    assert(doc->fields != NULL);

    if (st != SEAM_OK) return st;
    if (!reserve_doc(b) || (b->words.size == 0 && !table_grow(&b->words))) goto no_memory;
    for (size_t i = 0; i < s->field_count; i++)
        if (!add_field(b, doc->fields[i], &b->slots[d * s->field_count + i])) goto no_memory;
    for (size_t i = 0; i < s->attr_count; i++) {
        const struct seam_value *v = &doc->attrs[i];
        int64_t *out = &b->ints[d * attrs + i];

        b->nulls[d * attrs + i] = v->type == SEAM_V_NULL;
        *out = v->type == SEAM_V_NULL ? 0 : v->i;
        if (v->type == SEAM_V_TEXT && !add_keyword(b, (uint32_t)i, v, out)) goto no_memory;
    }
    b->docs[d] = (struct invidx_buffer_doc){doc->key, lsn, SEAM_LSN_MAX, first};
    if (!index_key(b, doc->key, d)) goto no_memory;
    if (d == 0 || doc->key > b->top_key) b->top_key = doc->key;
    assert(b->doc_count < b->doc_cap);
    assert(first <= b->token_count);
    SEAM_WALK(invidx_buffer_find(b, doc->key) == (int64_t)d);
    b->doc_count++;
    return SEAM_OK;
no_memory:
    b->token_count = first;
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                          "no memory to buffer a document");
}
