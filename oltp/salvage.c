/* salvage - every readable row of a damaged page file.
 *
 * No tree is followed: each page is judged by itself (checksum, identity), and every leaf of a primary tree
 * gives its rows. While the space map can be read, leaves that it calls free or dead are left out, so what
 * comes out is exactly the checkpoint's rows less those on damaged pages. Without it, old copies of pages are
 * met too: of each key the youngest copy counts, and rows deleted lately may come back (the report says so). */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/text/json.h"

struct found {
    uint32_t tree, page, slot;
    uint64_t epoch;
    uint8_t *key;
    size_t size;
};

struct salvaging {
    struct oltp *db; /* a shell: pager and catalogue only */
    struct pager *p;
    const struct catalog *catalog;
    struct oltp_salvaged *out;
    struct buf *report;
    enum status (*row)(void *ctx, const struct schema *s, struct bytes key, struct bytes row);
    void *ctx;
    bool map_good;
    struct hazard *h;
    struct buf big;
    struct value *values;
    struct found *found;
    size_t count, cap;
    struct arena keys;
};

static void say(struct salvaging *v, const char *what, const char *detail)
{
    if (v->report != NULL)
        buf_printf(v->report, "%s: %s%s%s\n", v->p->path, what, detail[0] != '\0' ? ": " : "",
                   detail);
}

static bool is_dead(const struct salvaging *v, uint32_t page)
{
    const struct space *s = &v->p->space;

    if (!(s->used[page / 64] >> (page % 64) & 1)) return true;
    for (size_t i = 0; i < s->dead_count; i++)
        if (s->dead[i].page == page) return true;
    return false;
}

static const struct table *table_of_tree(const struct salvaging *v, uint32_t tree)
{
    uint32_t id = tree >> TREE_INDEX_BITS;

    if ((tree & ((1 << TREE_INDEX_BITS) - 1)) != 0 || id == 0 || id > v->catalog->table_count)
        return NULL;
    return v->catalog->tables[id - 1];
}

static enum status give_row(struct salvaging *v, const struct table *tb, const uint8_t *leaf,
                            unsigned slot, struct fault *f)
{
    uint8_t key[OLTP_KEY_MAX];
    struct cell c = page_cell(leaf, slot);
    struct bytes row;
    struct fault why = {0};
    enum status st = cell_value(v->p, &c, v->h, &v->big, &row, &why);

    if (st == ST_OK) st = row_decode(&tb->schema, row.data, row.size, v->values, &why);
    if (st == ST_NOMEM) return st;
    if (st != ST_OK) {
        v->out->bad_rows++;
        say(v, "a row is lost", why.why);
        return ST_OK;
    }
    v->out->rows++;
    (void)f;
    return v->row(v->ctx, &tb->schema, (struct bytes){key, page_key(leaf, slot, key)}, row);
}

static enum status note_rows(struct salvaging *v, const uint8_t *leaf, struct fault *f)
{
    uint8_t key[OLTP_KEY_MAX];

    for (unsigned i = 0; i < page_count(leaf); i++) {
        struct found *n;

        if (v->count == v->cap) {
            struct found *more = realloc(v->found, (v->cap = v->cap * 2 + 1024) * sizeof *more);

            if (more == NULL)
                return fault_set(f, ST_NOMEM, v->p->path, FAULT_NO_OFFSET, "no memory to salvage");
            v->found = more;
        }
        n = &v->found[v->count];
        *n = (struct found){
            .tree = page_tree(leaf), .page = page_id(leaf), .slot = i, .epoch = page_epoch(leaf)};
        n->size = page_key(leaf, i, key);
        n->key = arena_alloc(&v->keys, n->size + 1);
        if (n->key == NULL)
            return fault_set(f, ST_NOMEM, v->p->path, FAULT_NO_OFFSET, "no memory to salvage");
        memcpy(n->key, key, n->size);
        v->count++;
    }
    return ST_OK;
}

static int by_key_then_age(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int c;

    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    c = key_compare(x->key, x->size, y->key, y->size);
    return c != 0 ? c : (x->epoch < y->epoch) - (x->epoch > y->epoch);
}

static enum status give_youngest(struct salvaging *v, struct fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum status st =
        page == NULL ? fault_set(f, ST_NOMEM, v->p->path, FAULT_NO_OFFSET, "no memory to salvage")
                     : ST_OK;

    if (v->count > 0) qsort(v->found, v->count, sizeof *v->found, by_key_then_age);
    for (size_t i = 0; st == ST_OK && i < v->count; i++) {
        const struct found *n = &v->found[i], *before = i > 0 ? n - 1 : NULL;

        if (before != NULL && before->tree == n->tree &&
            key_compare(before->key, before->size, n->key, n->size) == 0)
            continue;
        st = file_read(v->p->file, (uint64_t)n->page * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
        if (st == ST_OK) st = give_row(v, table_of_tree(v, n->tree), page, n->slot, f);
    }
    free(page);
    return st;
}

static enum status scan_pages(struct salvaging *v, struct fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum status st =
        page == NULL ? fault_set(f, ST_NOMEM, v->p->path, FAULT_NO_OFFSET, "no memory to salvage")
                     : ST_OK;

    for (uint32_t i = 2; st == ST_OK && i < atomic_load(&v->p->pages); i++) {
        struct fault why = {0};
        enum status good;
        const struct table *tb;

        if (v->map_good && is_dead(v, i)) continue;
        v->out->pages++;
        good = file_read(v->p->file, (uint64_t)i * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, &why);
        if (good == ST_OK)
            good = page_check(page, v->p->file_id, i, atomic_load(&v->p->pages), v->p->path, &why);
        if (good != ST_OK) {
            bool blank = v->map_good;

            for (size_t k = 0; !blank && good == ST_CORRUPT && k < OLTP_PAGE_SIZE; k++)
                blank = page[k] != 0;
            if (!blank) continue; /* never written: nothing is lost */
            v->out->bad_pages++;
            say(v, "a page is lost", why.why);
            continue;
        }
        if (page_kind(page) != PAGE_LEAF || (tb = table_of_tree(v, page_tree(page))) == NULL)
            continue;
        if (!v->map_good) st = note_rows(v, page, f);
        for (unsigned k = 0; st == ST_OK && v->map_good && k < page_count(page); k++)
            st = give_row(v, tb, page, k, f);
    }
    free(page);
    return st == ST_OK && !v->map_good ? give_youngest(v, f) : st;
}

static void json_write(struct json_writer *w, const struct json *j)
{
    if (j->key != NULL) jw_key(w, j->key);
    switch (j->type) {
    case J_NULL: jw_null(w); break;
    case J_BOOL: jw_bool(w, j->boolean); break;
    case J_NUMBER: jw_raw(w, j->str, j->len); break;
    case J_STRING: jw_strn(w, j->str, j->len); break;
    case J_ARRAY:
    case J_OBJECT:
        if (j->type == J_ARRAY)
            jw_array(w);
        else
            jw_object(w);
        for (const struct json *c = j->child; c != NULL; c = c->next)
            json_write(w, c);
        if (j->type == J_ARRAY)
            jw_end_array(w);
        else
            jw_end_object(w);
    }
}

/* Tables from the caller's JSON array of schemas (ids from each, or by position). */
static enum status catalog_from_json(struct salvaging *v, const char *schemas, struct fault *f)
{
    struct arena a = {0};
    struct json *root = NULL;
    struct catalog *c = NULL;
    enum status st = json_parse(schemas, strlen(schemas), &a, "schemas", &root, f);
    uint32_t position = 0;

    if (st == ST_OK && root->type != J_ARRAY)
        st = fault_set(f, ST_INVALID, "schemas", FAULT_NO_OFFSET, "an array of schemas is needed");
    if (st == ST_OK) st = catalog_copy(v->db, NULL, &c, f);
    if (st == ST_OK) {
        free(c->tables);
        c->tables = calloc(OLTP_TABLES_MAX, sizeof *c->tables);
        if (c->tables == NULL)
            st = fault_set(f, ST_NOMEM, "schemas", FAULT_NO_OFFSET, "no memory to salvage");
    }
    for (struct json *j = st == ST_OK ? root->child : NULL; st == ST_OK && j != NULL; j = j->next) {
        struct table *tb = NULL;
        struct buf text = {0};
        struct json_writer w;
        uint32_t id;

        st = table_own(v->db, &tb, f);
        jw_init(&w, &text);
        json_write(&w, j);
        if (st == ST_OK) st = schema_parse(buf_cstr(&text), text.size, &tb->schema, f);
        buf_free(&text);
        if (st != ST_OK) break;
        id = tb->schema.id != 0 ? tb->schema.id : position + 1;
        position++;
        if (id > OLTP_TABLES_MAX)
            st = fault_set(f, ST_INVALID, "schemas", FAULT_NO_OFFSET, "table id %u is too large",
                           id);
        else
            c->tables[id - 1] = tb;
        if (st == ST_OK && id > c->table_count) c->table_count = id;
    }
    v->catalog = c;
    arena_free(&a);
    return st;
}

/* What can still be had of meta pages, space map and catalogue. */
static enum status orient(struct salvaging *v, const char *schemas, struct fault *f)
{
    struct checkpoint c = {0};
    bool damaged[2];
    struct fault why = {0};
    uint64_t bytes = 0;
    enum status st = file_size(v->p->file, &bytes, f), got;

    if (st == ST_OK)
        st = space_grow(v->p, (uint32_t)(bytes / OLTP_PAGE_SIZE > 2 ? bytes / OLTP_PAGE_SIZE : 2),
                        f);
    if (st != ST_OK) return st;
    atomic_store(&v->p->max_epoch, UINT64_MAX);
    got = meta_read(v->p->file, &c, &v->p->file_id, damaged, &why);
    if (got != ST_OK) {
        uint8_t head[OLTP_PAGE_SIZE];

        say(v, "both meta pages are lost", why.why);
        for (uint32_t i = 2; i < atomic_load(&v->p->pages) && v->p->file_id == 0;
             i++) /* the pages know their file */
            if (file_read(v->p->file, (uint64_t)i * OLTP_PAGE_SIZE, head, sizeof head, NULL) ==
                    ST_OK &&
                page_check(head, get_u64(head + PAGE_FILE_ID), i, atomic_load(&v->p->pages),
                           v->p->path, NULL) == ST_OK)
                v->p->file_id = get_u64(head + PAGE_FILE_ID);
    }
    if (damaged[0] != damaged[1]) say(v, "a meta page is damaged", "the other one is used");
    fault_clear(&why);
    v->db->newest = c;
    v->map_good = got == ST_OK && c.space_page != 0 && space_load(v->db, &c, &why) == ST_OK;
    if (!v->map_good)
        say(v, "the space map is lost: rows deleted or replaced lately may come back", why.why);
    if (schemas != NULL) return catalog_from_json(v, schemas, f);
    fault_clear(&why);
    got = got == ST_OK && c.catalog_page != 0 ? view_load(v->db, &c, &why) : ST_CORRUPT;
    if (got != ST_OK)
        return fault_set(f, ST_CORRUPT, v->p->path, FAULT_NO_OFFSET,
                         "the catalogue is lost (%s): give the tables' schemas", why.why);
    v->catalog = atomic_load(&v->db->current)->catalog;
    return ST_OK;
}

enum status oltp_salvage(struct io *io, const char *dir, const char *schemas,
                         enum status (*row)(void *ctx, const struct schema *s, struct bytes key,
                                            struct bytes row),
                         void *ctx, struct oltp_salvaged *out, struct buf *report, struct fault *f)
{
    struct salvaging v = {.out = out, .report = report, .row = row, .ctx = ctx};
    enum status st;

    memset(out, 0, sizeof *out);
    st = shell_open(io, dir, &v.db, f);
    if (st != ST_OK) return st;
    v.p = &v.db->pager;
    v.h = hazard_take(v.p);
    v.values = malloc(COLUMNS_MAX * sizeof *v.values);
    if (v.h == NULL || v.values == NULL)
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory to salvage");
    if (st == ST_OK) st = orient(&v, schemas, f);
    if (st == ST_OK) st = scan_pages(&v, f);
    if (v.h != NULL) hazard_give(v.h);
    free(v.values);
    free(v.found);
    buf_free(&v.big);
    arena_free(&v.keys);
    (void)oltp_close(v.db, NULL);
    return st;
}
