/* Goal:   what a document is found by can be added up from the postings and from its texts, and both agree.
 * Method: random documents (stop words, repeated words, long words, empty texts, stems) through updates, deletes and merges;
 *         each live one's digest is compared with its text's, and any change of the text changes it.  */
#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "invidx/invidx.h"
#include "tests/common/check_main.h"

enum { KEYS = 60, STEPS = 400 };

struct document {
    bool there;
    seam_lsn_t birth;
    char title[80], body[900];
    int64_t price;
    const char *brand;
};

struct world {
    struct document docs[KEYS];
    size_t seen;
    struct invidx_hasher *hasher;
};

static void words(struct seam_rng *r, char *out, size_t size, int n)
{
    static const char *const list[] = {"running",     "runs", "shoe",   "shoes", "the",   "of",
                                       "Garden",      "hose", "don't",  "2.5kg", "1,000", "wi-fi",
                                       "caf\xc3\xa9", "lamp", "kettle", "red"};
    size_t at = 0;

    *out = '\0';
    for (int i = 0; i < n && at + 100 < size; i++) {
        if (seam_rng_below(r, 40) == 0) /* longer than a term may be */
            at += (size_t)snprintf(out + at, size - at, "%070llu ",
                                   (unsigned long long)seam_rng_below(r, 5));
        else
            at += (size_t)snprintf(out + at, size - at, "%s ",
                                   list[seam_rng_below(r, SEAM_ARRAY_LEN(list))]);
    }
}

static void texts_of(const struct document *d, struct invidx_text out[2])
{
    out[0] = (struct invidx_text){d->title, strlen(d->title)};
    out[1] = (struct invidx_text){d->body, strlen(d->body)};
}

static void change(struct world *x, struct invidx_writer *w, struct seam_rng *r, seam_lsn_t lsn)
{
    static const char *const brands[] = {NULL, "Acme", "Globex"};
    uint64_t key = seam_rng_below(r, KEYS);
    struct document *d = &x->docs[key];
    struct invidx_text texts[2];
    struct seam_value attrs[2];
    struct seam_fault f = {0};

    if (seam_rng_below(r, 5) == 0) {
        ASSERT_OK(invidx_delete(w, key, lsn, &f), &f);
        d->there = false;
        return;
    }
    *d = (struct document){.there = true,
                           .birth = lsn,
                           .price = (int64_t)seam_rng_below(r, 100),
                           .brand = brands[seam_rng_below(r, 3)]};
    words(r, d->title, sizeof d->title, (int)seam_rng_below(r, 3));
    words(r, d->body, sizeof d->body, (int)seam_rng_below(r, 30));
    texts_of(d, texts);
    attrs[0] = seam_rng_below(r, 4) == 0 ? seam_v_null() : seam_v_int(d->price);
    if (attrs[0].type == SEAM_V_NULL) d->price = -1;
    attrs[1] = d->brand != NULL ? seam_v_str(d->brand) : seam_v_null();
    ASSERT_OK(invidx_upsert(w, &(struct invidx_doc){key, texts, attrs}, lsn, &f), &f);
}

static enum seam_status check(void *ctx, const struct invidx_content *c, struct seam_fault *f)
{
    struct world *x = ctx;
    const struct document *d = &x->docs[c->key];
    struct document other = *d;
    struct invidx_text texts[2];
    struct seam_digest got;

    x->seen++;
    ck_assert(d->there);
    ck_assert_uint_eq(c->birth, d->birth);
    texts_of(d, texts);
    ASSERT_OK(invidx_hasher_words(x->hasher, c->key, texts, &got, f), f);
    ck_assert(seam_digest_equal(&got, &c->words));
    ck_assert_int_eq(c->attrs[0].type == SEAM_V_NULL ? -1 : c->attrs[0].i, d->price);
    ck_assert_int_eq(c->attrs[1].type != SEAM_V_NULL, d->brand != NULL);
    if (d->brand != NULL) ck_assert(memcmp(c->attrs[1].s, d->brand, c->attrs[1].len) == 0);
    snprintf(other.body, sizeof other.body, "%.890s lamp", d->body); /* one word more */
    texts_of(&other, texts);
    ASSERT_OK(invidx_hasher_words(x->hasher, c->key, texts, &got, f), f);
    ck_assert(!seam_digest_equal(&got, &c->words));
    if (*d->title != '\0' && strncmp(d->title, "the", 3) != 0 && strncmp(d->title, "of", 2) != 0) {
        texts_of(d, texts); /* the same words in the other field */
        texts[0].n = 0;
        ASSERT_OK(invidx_hasher_words(x->hasher, c->key, texts, &got, f), f);
        ck_assert(!seam_digest_equal(&got, &c->words));
    }
    return SEAM_OK;
}

static enum seam_status count_only(void *ctx, const struct invidx_content *c, struct seam_fault *f)
{
    (void)f;
    ck_assert_uint_eq(c->words.count, 0); /* not asked for */
    return ++*(size_t *)ctx == 3 ? SEAM_END : SEAM_OK;
}

static void test_documents_and_their_texts_agree(void)
{
    static const struct invidx_field fields[] = {{"title", 3}, {"body", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};
    const struct invidx_schema schema = {.fields = fields,
                                         .field_count = 2,
                                         .attrs = attrs,
                                         .attr_count = 2,
                                         .analysis = invidx_analysis_default()};
    const struct invidx_writer_options o = {.merge_fanout = 2};
    struct seam_io_sim *disk = seam_io_sim_new(1);
    struct world x = {.seen = 0};
    struct invidx_writer *w = NULL;
    struct invidx_reader *r = NULL;
    struct seam_rng rng;
    struct seam_fault f = {0};
    size_t alive = 0, some = 0;

    seam_rng_seed(&rng, test_seed());
    ASSERT_OK(invidx_writer_open(seam_io_sim_io(disk), "index", &schema, &o, &w, &f), &f);
    for (seam_lsn_t lsn = 1; lsn <= STEPS; lsn++) {
        bool worked = true;

        change(&x, w, &rng, lsn);
        if (lsn % 23 != 0 && lsn != STEPS) continue;
        ASSERT_OK(invidx_publish(w, lsn, 1, &f), &f);
        while (worked && seam_rng_below(&rng, 2) == 0)
            ASSERT_OK(invidx_maintain(w, &worked, &f), &f);
    }
    ASSERT_OK(invidx_reader_open(seam_io_sim_io(disk), "index", SEAM_LSN_MAX, &r, &f), &f);
    ASSERT_OK(invidx_hasher_new(r, &x.hasher, &f), &f);
    ASSERT_OK(invidx_contents(r, true, check, &x, &f), &f);
    for (int i = 0; i < KEYS; i++) alive += x.docs[i].there;
    ck_assert_uint_gt(alive, KEYS / 2);
    ck_assert_uint_eq(x.seen, alive);
    ASSERT_STATUS(invidx_contents(r, false, count_only, &some, &f), SEAM_END);
    invidx_hasher_free(x.hasher);
    invidx_reader_close(r);
    invidx_writer_close(w);
    seam_io_sim_free(disk);
}

static const struct named_test tests[] = {
    T(test_documents_and_their_texts_agree),
};

int main(int argc, char **argv)
{
    return run_tests("content", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
