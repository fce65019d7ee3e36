/* salvage - every readable row of a damaged page file.
 *
 * No tree is followed: each page is judged by itself (checksum, identity), and every leaf of a primary tree
 * gives its rows. While the space map can be read, leaves that it calls free or dead are left out, so what
 * comes out is exactly the checkpoint's rows less those on damaged pages. Without it, old copies of pages are
 * met too: of each key the youngest copy counts, and rows deleted lately may come back (the report says so). */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/text/json.h"

struct oltp_found {
    uint32_t tree, page, slot;
    uint64_t epoch;
    uint8_t *key;
    size_t size;
};

struct salvaging {
    struct oltp *db; /* a shell: pager and catalogue only */
    struct oltp_pager *p;
    const struct oltp_catalog *catalog;
    struct oltp_salvaged *out;
    struct seam_buf *report;
    enum seam_status (*row)(void *ctx, const struct seam_schema *s, struct wal_bytes key,
                            struct wal_bytes row);
    void *ctx;
    bool map_good;
    struct oltp_hazard *h;
    struct seam_buf big;
    struct seam_value *values;
    struct oltp_found *found;
    size_t count, cap;
    struct seam_arena keys;
};

static void say(struct salvaging *v, const char *what, const char *detail)
{
    if (v->report != NULL)
        seam_buf_printf(v->report, "%s: %s%s%s\n", v->p->path, what, detail[0] != '\0' ? ": " : "",
                        detail);
}

static bool is_dead(const struct salvaging *v, uint32_t page)
{
    const struct oltp_space *s = &v->p->space;

    if (!(s->used[page / 64] >> (page % 64) & 1)) return true;
    for (size_t i = 0; i < s->dead_count; i++)
        if (s->dead[i].page == page) return true;
    return false;
}

static const struct oltp_table *table_of_tree(const struct salvaging *v, uint32_t tree)
{
    uint32_t id = tree >> TREE_INDEX_BITS;

    if ((tree & ((1 << TREE_INDEX_BITS) - 1)) != 0 || id == 0 || id > v->catalog->table_count)
        return NULL;
    return v->catalog->tables[id - 1];
}

static enum seam_status give_row(struct salvaging *v, const struct oltp_table *tb,
                                 const uint8_t *leaf, unsigned slot, struct seam_fault *f)
{
    uint8_t key[OLTP_KEY_MAX];
    struct oltp_cell c = page_cell(leaf, slot);
    struct wal_bytes row;
    struct seam_fault why = {0};
    enum seam_status st = oltp_cell_value(v->p, &c, v->h, &v->big, &row, &why);

    if (st == SEAM_OK) st = seam_row_decode(&tb->schema, row.data, row.size, v->values, &why);
    if (st == SEAM_NOMEM) return st;
    if (st != SEAM_OK) {
        v->out->bad_rows++;
        say(v, "a row is lost", why.why);
        return SEAM_OK;
    }
    v->out->rows++;
    (void)f;
    return v->row(v->ctx, &tb->schema, (struct wal_bytes){key, oltp_page_key(leaf, slot, key)},
                  row);
}

static enum seam_status note_rows(struct salvaging *v, const uint8_t *leaf, struct seam_fault *f)
{
    uint8_t key[OLTP_KEY_MAX];

    for (unsigned i = 0; i < page_count(leaf); i++) {
        struct oltp_found *n;

        if (v->count == v->cap) {
            struct oltp_found *more =
                realloc(v->found, (v->cap = v->cap * 2 + 1024) * sizeof *more);

            if (more == NULL)
                return seam_fault_set(f, SEAM_NOMEM, v->p->path, SEAM_FAULT_NO_OFFSET,
                                      "no memory to salvage");
            v->found = more;
        }
        n = &v->found[v->count];
        *n = (struct oltp_found){
            .tree = page_tree(leaf), .page = page_id(leaf), .slot = i, .epoch = page_epoch(leaf)};
        n->size = oltp_page_key(leaf, i, key);
        n->key = seam_arena_alloc(&v->keys, n->size + 1);
        if (n->key == NULL)
            return seam_fault_set(f, SEAM_NOMEM, v->p->path, SEAM_FAULT_NO_OFFSET,
                                  "no memory to salvage");
        memcpy(n->key, key, n->size);
        v->count++;
    }
    return SEAM_OK;
}

static int by_key_then_age(const void *a, const void *b)
{
    const struct oltp_found *x = a, *y = b;
    int c;

    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    c = seam_key_compare(x->key, x->size, y->key, y->size);
    return c != 0 ? c : (x->epoch < y->epoch) - (x->epoch > y->epoch);
}

static enum seam_status give_youngest(struct salvaging *v, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum seam_status st = page == NULL
                              ? seam_fault_set(f, SEAM_NOMEM, v->p->path, SEAM_FAULT_NO_OFFSET,
                                               "no memory to salvage")
                              : SEAM_OK;

    if (v->count > 0) qsort(v->found, v->count, sizeof *v->found, by_key_then_age);
    for (size_t i = 0; st == SEAM_OK && i < v->count; i++) {
        const struct oltp_found *n = &v->found[i], *before = i > 0 ? n - 1 : NULL;

        if (before != NULL && before->tree == n->tree &&
            seam_key_compare(before->key, before->size, n->key, n->size) == 0)
            continue;
        st =
            seam_file_read(v->p->file, (uint64_t)n->page * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, f);
        if (st == SEAM_OK) st = give_row(v, table_of_tree(v, n->tree), page, n->slot, f);
    }
    free(page);
    return st;
}

static enum seam_status scan_pages(struct salvaging *v, struct seam_fault *f)
{
    uint8_t *page = malloc(OLTP_PAGE_SIZE);
    enum seam_status st = page == NULL
                              ? seam_fault_set(f, SEAM_NOMEM, v->p->path, SEAM_FAULT_NO_OFFSET,
                                               "no memory to salvage")
                              : SEAM_OK;

    for (uint32_t i = 2; st == SEAM_OK && i < atomic_load(&v->p->pages); i++) {
        struct seam_fault why = {0};
        enum seam_status good;
        const struct oltp_table *tb;

        if (v->map_good && is_dead(v, i)) continue;
        v->out->pages++;
        good = seam_file_read(v->p->file, (uint64_t)i * OLTP_PAGE_SIZE, page, OLTP_PAGE_SIZE, &why);
        if (good == SEAM_OK)
            good = oltp_page_check(page, v->p->file_id, i, atomic_load(&v->p->pages), v->p->path,
                                   &why);
        if (good != SEAM_OK) {
            bool blank = v->map_good;

            for (size_t k = 0; !blank && good == SEAM_CORRUPT && k < OLTP_PAGE_SIZE; k++)
                blank = page[k] != 0;
            if (!blank) continue; /* never written: nothing is lost */
            v->out->bad_pages++;
            say(v, "a page is lost", why.why);
            continue;
        }
        if (page_kind(page) != PAGE_LEAF || (tb = table_of_tree(v, page_tree(page))) == NULL)
            continue;
        if (!v->map_good) st = note_rows(v, page, f);
        for (unsigned k = 0; st == SEAM_OK && v->map_good && k < page_count(page); k++)
            st = give_row(v, tb, page, k, f);
    }
    free(page);
    return st == SEAM_OK && !v->map_good ? give_youngest(v, f) : st;
}

static void json_write(struct seam_json_writer *w, const struct seam_json *j)
{
    if (j->key != NULL) seam_jw_key(w, j->key);
    switch (j->type) {
    case SEAM_J_NULL: seam_jw_null(w); break;
    case SEAM_J_BOOL: seam_jw_bool(w, j->boolean); break;
    case SEAM_J_NUMBER: seam_jw_raw(w, j->str, j->len); break;
    case SEAM_J_STRING: seam_jw_strn(w, j->str, j->len); break;
    case SEAM_J_ARRAY:
    case SEAM_J_OBJECT:
        if (j->type == SEAM_J_ARRAY)
            seam_jw_array(w);
        else
            seam_jw_object(w);
        for (const struct seam_json *c = j->child; c != NULL; c = c->next) json_write(w, c);
        if (j->type == SEAM_J_ARRAY)
            seam_jw_end_array(w);
        else
            seam_jw_end_object(w);
    }
}

/* Tables from the caller's JSON array of schemas (ids from each, or by position). */
static enum seam_status catalog_from_json(struct salvaging *v, const char *schemas,
                                          struct seam_fault *f)
{
    struct seam_arena a = {0};
    struct seam_json *root = NULL;
    struct oltp_catalog *c = NULL;
    enum seam_status st = seam_json_parse(schemas, strlen(schemas), &a, "schemas", &root, f);
    uint32_t position = 0;

    if (st == SEAM_OK && root->type != SEAM_J_ARRAY)
        st = seam_fault_set(f, SEAM_INVALID, "schemas", SEAM_FAULT_NO_OFFSET,
                            "an array of schemas is needed");
    if (st == SEAM_OK) st = oltp_catalog_copy(v->db, NULL, &c, f);
    if (st == SEAM_OK) {
        free(c->tables);
        c->tables = calloc(OLTP_TABLES_MAX, sizeof *c->tables);
        if (c->tables == NULL)
            st = seam_fault_set(f, SEAM_NOMEM, "schemas", SEAM_FAULT_NO_OFFSET,
                                "no memory to salvage");
    }
    for (struct seam_json *j = st == SEAM_OK ? root->child : NULL; st == SEAM_OK && j != NULL;
         j = j->next) {
        struct oltp_table *tb = NULL;
        struct seam_buf text = {0};
        struct seam_json_writer w;
        uint32_t id;

        st = oltp_table_own(v->db, &tb, f);
        seam_jw_init(&w, &text);
        json_write(&w, j);
        if (st == SEAM_OK) st = seam_schema_parse(seam_buf_cstr(&text), text.size, &tb->schema, f);
        seam_buf_free(&text);
        if (st != SEAM_OK) break;
        id = tb->schema.id != 0 ? tb->schema.id : position + 1;
        position++;
        if (id > OLTP_TABLES_MAX)
            st = seam_fault_set(f, SEAM_INVALID, "schemas", SEAM_FAULT_NO_OFFSET,
                                "table id %u is too large", id);
        else
            c->tables[id - 1] = tb;
        if (st == SEAM_OK && id > c->table_count) c->table_count = id;
    }
    v->catalog = c;
    seam_arena_free(&a);
    return st;
}

/* What can still be had of meta pages, space map and catalogue. */
static enum seam_status orient(struct salvaging *v, const char *schemas, struct seam_fault *f)
{
    struct oltp_checkpoint c = {0};
    bool damaged[2];
    struct seam_fault why = {0};
    uint64_t bytes = 0;
    enum seam_status st = seam_file_size(v->p->file, &bytes, f), got;

    if (st == SEAM_OK)
        st = oltp_space_grow(
            v->p, (uint32_t)(bytes / OLTP_PAGE_SIZE > 2 ? bytes / OLTP_PAGE_SIZE : 2), f);
    if (st != SEAM_OK) return st;
    atomic_store(&v->p->max_epoch, UINT64_MAX);
    got = oltp_meta_read(v->p->file, &c, &v->db->identity, damaged, &why);
    v->p->file_id = v->db->identity.file_id;
    if (got != SEAM_OK) {
        uint8_t head[OLTP_PAGE_SIZE];

        say(v, "both meta pages are lost", why.why);
        for (uint32_t i = 2; i < atomic_load(&v->p->pages) && v->p->file_id == 0;
             i++) /* the pages know their file */
            if (seam_file_read(v->p->file, (uint64_t)i * OLTP_PAGE_SIZE, head, sizeof head, NULL) ==
                    SEAM_OK &&
                oltp_page_check(head, seam_get_u64(head + PAGE_FILE_ID), i,
                                atomic_load(&v->p->pages), v->p->path, NULL) == SEAM_OK)
                v->p->file_id = seam_get_u64(head + PAGE_FILE_ID);
    }
    if (damaged[0] != damaged[1]) say(v, "a meta page is damaged", "the other one is used");
    seam_fault_clear(&why);
    v->db->newest = c;
    v->map_good =
        got == SEAM_OK && c.space.page != 0 && oltp_space_load(v->db, &c, &why) == SEAM_OK;
    if (!v->map_good)
        say(v, "the space map is lost: rows deleted or replaced lately may come back", why.why);
    if (schemas != NULL) return catalog_from_json(v, schemas, f);
    seam_fault_clear(&why);
    got = got == SEAM_OK && c.catalog.page != 0 ? oltp_view_load(v->db, &c, &why) : SEAM_CORRUPT;
    if (got != SEAM_OK)
        return seam_fault_set(f, SEAM_CORRUPT, v->p->path, SEAM_FAULT_NO_OFFSET,
                              "the catalogue is lost (%s): give the tables' schemas", why.why);
    v->catalog = atomic_load(&v->db->current)->catalog;
    return SEAM_OK;
}

enum seam_status oltp_salvage(struct seam_io *io, const char *dir, const char *schemas,
                              enum seam_status (*row)(void *ctx, const struct seam_schema *s,
                                                      struct wal_bytes key, struct wal_bytes row),
                              void *ctx, struct oltp_salvaged *out, struct seam_buf *report,
                              struct seam_fault *f)
{
    struct salvaging v = {.out = out, .report = report, .row = row, .ctx = ctx};
    enum seam_status st;

    memset(out, 0, sizeof *out);
    st = oltp_shell_open(io, dir, &v.db, f);
    if (st != SEAM_OK) return st;
    v.p = &v.db->pager;
    v.h = oltp_hazard_take(v.p);
    v.values = malloc(SEAM_COLUMNS_MAX * sizeof *v.values);
    if (v.h == NULL || v.values == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to salvage");
    if (st == SEAM_OK) st = orient(&v, schemas, f);
    if (st == SEAM_OK) st = scan_pages(&v, f);
    if (v.h != NULL) oltp_hazard_give(v.h);
    free(v.values);
    free(v.found);
    seam_buf_free(&v.big);
    seam_arena_free(&v.keys);
    (void)oltp_close(v.db, NULL);
    return st;
}
