/* shopgen - customers and orders invented from a seed, through the row store like any others. */
#include "pipeline/import/shopgen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/text/json.h"

#define US_PER_DAY (86400ll * 1000000)

enum { LINES_MAX = 20, OPEN_ORDERS = 256 /* placed, neither shipped nor cancelled yet */ };

/* Columns by name, found once; -1 = the table has none.                                          */
enum { P_ID, P_PRICE, P_STOCK, P_UPDATED, P_VERSION, P_COLUMNS };
enum { C_ID, C_NAME, C_EMAIL, C_COUNTRY, C_CREATED, C_VERSION, C_COLUMNS };
enum { O_ID, O_CUSTOMER, O_STATUS, O_PLACED, O_COUNTRY, O_UPDATED, O_VERSION, O_COLUMNS };
enum { L_ORDER, L_LINE, L_PRODUCT, L_QUANTITY, L_PRICE, L_COLUMNS };
enum { T_PRODUCTS, T_CUSTOMERS, T_ORDERS, T_LINES, T_COUNT };
enum { REQUIRED = 1 };

struct wanted {
    const char *name;
    enum seam_value_type type;
    int flags;
};

static const struct wanted wanted_products[P_COLUMNS] = {{"product_id", SEAM_V_INT, REQUIRED},
                                                         {"price", SEAM_V_DECIMAL, REQUIRED},
                                                         {"stock", SEAM_V_INT, 0},
                                                         {"updated_at", SEAM_V_TIME, 0},
                                                         {"version", SEAM_V_INT, 0}};
static const struct wanted wanted_customers[C_COLUMNS] = {{"customer_id", SEAM_V_INT, REQUIRED},
                                                          {"name", SEAM_V_TEXT, 0},
                                                          {"email", SEAM_V_TEXT, 0},
                                                          {"country", SEAM_V_TEXT, 0},
                                                          {"created_at", SEAM_V_TIME, 0},
                                                          {"version", SEAM_V_INT, 0}};
static const struct wanted wanted_orders[O_COLUMNS] = {
    {"order_id", SEAM_V_INT, REQUIRED}, {"customer_id", SEAM_V_INT, REQUIRED},
    {"status", SEAM_V_TEXT, REQUIRED},  {"placed_at", SEAM_V_TIME, REQUIRED},
    {"country", SEAM_V_TEXT, 0},        {"updated_at", SEAM_V_TIME, 0},
    {"version", SEAM_V_INT, 0}};
static const struct wanted wanted_lines[L_COLUMNS] = {{"order_id", SEAM_V_INT, REQUIRED},
                                                      {"line_no", SEAM_V_INT, REQUIRED},
                                                      {"product_id", SEAM_V_INT, REQUIRED},
                                                      {"quantity", SEAM_V_INT, REQUIRED},
                                                      {"unit_price", SEAM_V_DECIMAL, REQUIRED}};

struct shop_gen_table {
    uint32_t id;
    struct seam_schema schema;
    int column[8];
    struct seam_value values[SEAM_COLUMNS_MAX];
};

struct shop_gen_product {
    int64_t id, price, stock;
}; /* price in the scale of products.price */
struct open_order {
    int64_t id;
    int64_t customer;
};

struct shop_gen {
    struct oltp *db;
    struct shop_gen_options o;
    struct shop_gen_table tables[T_COUNT];
    struct seam_rng rng;
    struct seam_zipf product_zipf, customer_zipf;
    struct shop_gen_product *products; /* by popularity */
    size_t product_count;
    uint8_t *customer_known;
    int64_t first_customer, next_order;
    double *day_ends; /* share of the orders up to the end of each day */
    struct open_order open[OPEN_ORDERS];
    size_t open_count;
    int64_t last_us;
    struct seam_buf row, json;
    struct shop_gen_stats stats;
};

/* ---- opening ---- */

static enum seam_status open_table(struct oltp_txn *t, struct shop_gen_table *table,
                                   const char *name, const struct wanted *wanted, int count,
                                   struct seam_fault *f)
{
    enum seam_status st = oltp_table(t, name, &table->id, f);

    if (st != SEAM_OK) return st;
    if (seam_schema_clone(oltp_schema(t, table->id), &table->schema) != SEAM_OK)
        return seam_no_memory(f, "a schema");
    for (int i = 0; i < count; i++) {
        int c = seam_schema_column(&table->schema, wanted[i].name);

        if (c >= 0 && table->schema.columns[c].type != wanted[i].type)
            return seam_fault_set(f, SEAM_INVALID, name, SEAM_FAULT_NO_OFFSET, "%s is %s, not %s",
                                  wanted[i].name,
                                  seam_value_type_name(table->schema.columns[c].type),
                                  seam_value_type_name(wanted[i].type));
        if (c < 0 && (wanted[i].flags & REQUIRED) != 0)
            return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                                  "the table has no column %s", wanted[i].name);
        table->column[i] = c;
    }
    return SEAM_OK;
}

static enum seam_status last_key(struct oltp_txn *t, const struct shop_gen_table *table,
                                 int64_t *out, struct seam_fault *f)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v;
    enum seam_status st = oltp_cursor_open(t, table->id, 0, NULL, 0, &c, f);

    *out = 0;
    if (st == SEAM_OK) st = oltp_cursor_prev(c, &row, f);
    if (st == SEAM_OK)
        st = seam_row_get(&table->schema, row.row.data, row.row.size, table->column[0], &v, f);
    if (st == SEAM_OK) *out = v.i;
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status read_products(struct shop_gen *g, struct oltp_txn *t, struct seam_fault *f)
{
    const struct shop_gen_table *table = &g->tables[T_PRODUCTS];
    uint64_t count = oltp_count(t, table->id, 0);
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v[SEAM_COLUMNS_MAX];
    enum seam_status st;

    if (count == 0)
        return seam_fault_set(f, SEAM_NOT_FOUND, "products", SEAM_FAULT_NO_OFFSET,
                              "there are no products to order");
    g->products = calloc(count, sizeof *g->products);
    if (g->products == NULL) return seam_no_memory(f, "the products");
    st = oltp_cursor_open(t, table->id, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && g->product_count < count) {
        st = oltp_cursor_next(c, &row, f);
        if (st == SEAM_OK) st = seam_row_decode(&table->schema, row.row.data, row.row.size, v, f);
        if (st != SEAM_OK) break;
        g->products[g->product_count++] = (struct shop_gen_product){
            .id = v[table->column[P_ID]].i,
            .price =
                v[table->column[P_PRICE]].type == SEAM_V_DECIMAL ? v[table->column[P_PRICE]].i : 0,
            .stock = table->column[P_STOCK] >= 0 && v[table->column[P_STOCK]].type == SEAM_V_INT
                         ? v[table->column[P_STOCK]].i
                         : 0};
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

/* Season: quiet after New Year, a bump at Easter, a long rise to Christmas; weekdays beat Sundays.
 */
static double day_weight(int64_t day_us)
{
    static const double months[12] = {0.75, 0.75, 0.95, 0.85, 1.0, 0.95,
                                      0.9,  0.9,  1.15, 1.3,  1.7, 1.3};
    static const double weekdays[7] = {1.15, 1.1, 1.05, 1.0, 1.0, 0.8, 0.7}; /* Monday first */
    struct seam_civil c;
    int64_t day = day_us / US_PER_DAY;

    seam_time_to_civil(day_us, &c);
    return months[c.month - 1] * weekdays[((day + 3) % 7 + 7) % 7];
}

static enum seam_status spread_days(struct shop_gen *g, struct seam_fault *f)
{
    double sum = 0;

    g->day_ends = calloc(g->o.days, sizeof *g->day_ends);
    if (g->day_ends == NULL) return seam_no_memory(f, "the days");
    for (uint32_t d = 0; d < g->o.days; d++) {
        sum += day_weight(g->o.start_us + (int64_t)d * US_PER_DAY);
        g->day_ends[d] = sum;
    }
    for (uint32_t d = 0; d < g->o.days; d++) g->day_ends[d] /= sum;
    return SEAM_OK;
}

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
    return v == UINT32_MAX ? 0 : v == 0 ? otherwise : v;
}

static void fill_options(struct shop_gen *g, const struct shop_gen_options *o)
{
    g->o = *o;
    if (o->orders == 0) g->o.orders = 50000;
    if (o->customers == 0) g->o.customers = g->o.orders / 8 + 1;
    if (o->start_us == 0) g->o.start_us = 1767225600000000; /* 2026-01-01 */
    if (o->days == 0) g->o.days = 365;
    if (!(o->skew > 0 && o->skew < 1)) g->o.skew = 0.8;
    g->o.cancel_per_1000 = or_default(o->cancel_per_1000, 40);
    g->o.price_per_1000 = or_default(o->price_per_1000, 4);
    g->o.stock_per_1000 = or_default(o->stock_per_1000, 20);
    g->o.deletions = or_default(o->deletions, 3);
}

static enum seam_status read_shop(struct shop_gen *g, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    int64_t last = 0;
    enum seam_status st = oltp_read_begin(g->db, &t, f);

    if (st == SEAM_OK)
        st = open_table(t, &g->tables[T_PRODUCTS], "products", wanted_products, P_COLUMNS, f);
    if (st == SEAM_OK)
        st = open_table(t, &g->tables[T_CUSTOMERS], "customers", wanted_customers, C_COLUMNS, f);
    if (st == SEAM_OK)
        st = open_table(t, &g->tables[T_ORDERS], "orders", wanted_orders, O_COLUMNS, f);
    if (st == SEAM_OK)
        st = open_table(t, &g->tables[T_LINES], "order_lines", wanted_lines, L_COLUMNS, f);
    if (st == SEAM_OK) st = read_products(g, t, f);
    if (st == SEAM_OK) st = last_key(t, &g->tables[T_CUSTOMERS], &last, f);
    g->first_customer = last + 1;
    if (st == SEAM_OK) st = last_key(t, &g->tables[T_ORDERS], &last, f);
    g->next_order = last + 1;
    oltp_end(t);
    return st;
}

enum seam_status shop_gen_open(struct oltp *db, const struct shop_gen_options *o,
                               struct shop_gen **out, struct seam_fault *f)
{
    struct shop_gen *g = calloc(1, sizeof *g);
    enum seam_status st;

    if (g == NULL) return seam_no_memory(f, "a generator");
    g->db = db;
    fill_options(g, o);
    st = read_shop(g, f);
    if (st == SEAM_OK) st = spread_days(g, f);
    if (st == SEAM_OK) {
        g->customer_known = calloc(g->o.customers, 1);
        if (g->customer_known == NULL) st = seam_no_memory(f, "the customers");
    }
    if (st == SEAM_OK) {
        seam_rng_seed(&g->rng, g->o.seed);
        seam_rng_shuffle(&g->rng, g->products, g->product_count, sizeof *g->products);
        seam_zipf_init(&g->product_zipf, g->product_count, g->o.skew);
        seam_zipf_init(&g->customer_zipf, g->o.customers, 0.5);
        g->last_us = g->o.start_us;
        *out = g;
        g = NULL;
    }
    shop_gen_close(g);
    return st;
}

void shop_gen_close(struct shop_gen *g)
{
    if (g == NULL) return;
    for (int i = 0; i < T_COUNT; i++) seam_schema_free(&g->tables[i].schema);
    free(g->products);
    free(g->customer_known);
    free(g->day_ends);
    seam_buf_free(&g->row);
    seam_buf_free(&g->json);
    free(g);
}

const struct shop_gen_stats *shop_gen_stats(const struct shop_gen *g)
{
    return &g->stats;
}

/* ---- helpers of all transactions ---- */

static void set(struct shop_gen_table *t, int which, struct seam_value v)
{
    if (t->column[which] >= 0) t->values[t->column[which]] = v;
}

static void set_defaults(struct shop_gen_table *t)
{
    for (uint16_t i = 0; i < t->schema.column_count; i++)
        t->values[i] = seam_column_live(&t->schema.columns[i], t->schema.version)
                           ? t->schema.columns[i].def
                           : seam_v_null();
}

/* Reads the row with this id into t->values (copied, so that it outlives the change). SEAM_NOT_FOUND.
 */
static enum seam_status load(struct shop_gen *g, struct oltp_txn *txn, struct shop_gen_table *t,
                             int64_t id, struct seam_fault *f)
{
    struct seam_value key = seam_v_int(id);
    struct oltp_row row;
    enum seam_status st = oltp_get(txn, t->id, &key, &row, f);

    if (st != SEAM_OK) return st;
    seam_buf_clear(&g->row);
    seam_buf_append(&g->row, row.row.data, row.row.size);
    if (!seam_buf_ok(&g->row)) return seam_no_memory(f, "a row");
    return seam_row_decode(&t->schema, g->row.data, g->row.size, t->values, f);
}

static void touch(struct shop_gen *g, struct shop_gen_table *t, int updated, int version)
{
    set(t, updated, seam_v_time(g->last_us));
    if (t->column[version] >= 0)
        t->values[t->column[version]] = seam_v_int(t->values[t->column[version]].i + 1);
}

static enum seam_status finish(struct shop_gen *g, struct oltp_txn *txn, enum seam_status st,
                               struct seam_fault *f)
{
    struct oltp_commit c;

    if (st != SEAM_OK) {
        oltp_end(txn);
        return st;
    }
    st = oltp_commit(txn, g->o.mode, &c, f);
    if (st != SEAM_OK) return st;
    g->stats.lsn = c.lsn;
    g->stats.transactions++;
    return SEAM_OK;
}

static void event_begin(struct shop_gen *g, struct seam_json_writer *w, const char *id_name,
                        int64_t id)
{
    char at[40];

    seam_buf_clear(&g->json);
    seam_jw_init(w, &g->json);
    seam_jw_object(w);
    seam_jw_key(w, id_name);
    seam_jw_int(w, id);
    seam_jw_key(w, "at");
    seam_jw_strn(w, at, seam_time_format(g->last_us, at));
}

static enum seam_status event_put(struct shop_gen *g, struct oltp_txn *txn, const char *aggregate,
                                  int64_t id, const char *type, struct seam_fault *f)
{
    char text[32];
    size_t n = seam_decimal_format(id, 0, text);

    if (!seam_buf_ok(&g->json)) return seam_no_memory(f, "an event");
    return oltp_outbox_put(txn, aggregate, (struct wal_bytes){(const uint8_t *)text, n}, type,
                           (struct wal_bytes){g->json.data, g->json.size}, f);
}

static void key_money(struct seam_json_writer *w, const char *key, int64_t v, unsigned scale)
{
    char text[32];

    seam_jw_key(w, key);
    seam_jw_strn(w, text, seam_decimal_format(v, scale, text));
}

static unsigned price_scale(const struct shop_gen *g)
{
    return g->tables[T_PRODUCTS].schema.columns[g->tables[T_PRODUCTS].column[P_PRICE]].scale;
}

/* ---- an order ---- */

/* The moment of order number n: days by weight, hours by a shop's day, never before the one before.
 */
static int64_t order_time(struct shop_gen *g, uint64_t n)
{
    double share = ((double)(n % g->o.orders) + 0.5) / (double)g->o.orders;
    uint64_t round = n / g->o.orders;
    uint32_t lo = 0, hi = g->o.days - 1;
    double before, within;
    int64_t us;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;

        if (g->day_ends[mid] < share)
            lo = mid + 1;
        else
            hi = mid;
    }
    before = lo > 0 ? g->day_ends[lo - 1] : 0;
    within = (share - before) / (g->day_ends[lo] - before);
    if (within < 0) within = 0;
    if (within > 0.999) within = 0.999;
    /* From seven in the morning to eleven at night, denser about the middle. */
    within = within < 0.5 ? 0.5 - 0.5 * (1 - 2 * within) * (0.6 + 0.4 * (1 - 2 * within))
                          : 0.5 + 0.5 * (2 * within - 1) * (0.6 + 0.4 * (2 * within - 1));
    us = g->o.start_us + (int64_t)(round * g->o.days + lo) * US_PER_DAY + 7 * 3600000000ll +
         (int64_t)(within * 16 * 3600) * 1000000ll + (int64_t)seam_rng_below(&g->rng, 1000) * 1000;
    return us > g->last_us ? us : g->last_us + 1000;
}

static const char *const countries[] = {"United Kingdom", "Germany",     "France",  "Ireland",
                                        "Spain",          "Netherlands", "Belgium", "Switzerland"};

/* Fixed for a customer, from its number alone.                                                   */
static const char *country_of(uint64_t number)
{
    uint64_t state = number, z = seam_splitmix64(&state);

    return countries[z % 100 < 70 ? 0 : 1 + (z >> 32) % (SEAM_ARRAY_LEN(countries) - 1)];
}

static enum seam_status put_customer(struct shop_gen *g, struct oltp_txn *txn, uint64_t number,
                                     struct seam_fault *f)
{
    static const char *const first[] = {"Ada",  "Ben",   "Chloe", "Dev",  "Elif", "Finn", "Grace",
                                        "Hugo", "Iris",  "Jonas", "Kim",  "Lena", "Milo", "Nora",
                                        "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tara"};
    static const char *const last[] = {"Archer",  "Baker",  "Cooper", "Dyer",   "Ellis",
                                       "Fischer", "Garcia", "Hughes", "Ito",    "Jensen",
                                       "Keller",  "Lopez",  "Martin", "Novak",  "Okoye",
                                       "Petit",   "Rossi",  "Smith",  "Tailor", "Weaver"};
    struct shop_gen_table *t = &g->tables[T_CUSTOMERS];
    uint64_t state = number + 1, z = seam_splitmix64(&state);
    const char *a = first[z % SEAM_ARRAY_LEN(first)], *b = last[(z >> 20) % SEAM_ARRAY_LEN(last)];
    char name[64], email[96];

    snprintf(name, sizeof name, "%s %s", a, b);
    snprintf(email, sizeof email, "%c.%s.%" PRIu64 "@example.com", a[0] + 32, b, number);
    set_defaults(t);
    set(t, C_ID, seam_v_int(g->first_customer + (int64_t)number));
    set(t, C_NAME, seam_v_str(name));
    set(t, C_EMAIL, seam_v_str(email));
    set(t, C_COUNTRY, seam_v_str(country_of(number)));
    set(t, C_CREATED, seam_v_time(g->last_us));
    set(t, C_VERSION, seam_v_int(1));
    return oltp_insert(txn, t->id, t->values, f);
}

static enum seam_status put_order(struct shop_gen *g, struct oltp_txn *txn, int64_t id,
                                  uint64_t customer, struct seam_fault *f)
{
    struct shop_gen_table *t = &g->tables[T_ORDERS];

    set_defaults(t);
    set(t, O_ID, seam_v_int(id));
    set(t, O_CUSTOMER, seam_v_int(g->first_customer + (int64_t)customer));
    set(t, O_STATUS, seam_v_str("placed"));
    set(t, O_PLACED, seam_v_time(g->last_us));
    set(t, O_COUNTRY, seam_v_str(country_of(customer)));
    set(t, O_UPDATED, seam_v_time(g->last_us));
    set(t, O_VERSION, seam_v_int(1));
    return oltp_insert(txn, t->id, t->values, f);
}

static uint64_t line_count(struct shop_gen *g)
{
    uint64_t n = 1;

    while (n < LINES_MAX && seam_rng_below(&g->rng, 100) < 62) n++;
    return n;
}

static enum seam_status put_lines(struct shop_gen *g, struct oltp_txn *txn, int64_t id,
                                  struct seam_json_writer *w, struct seam_fault *f)
{
    struct shop_gen_table *t = &g->tables[T_LINES];
    uint64_t n = line_count(g);
    int64_t total = 0;
    enum seam_status st = SEAM_OK;

    seam_jw_key(w, "lines");
    seam_jw_array(w);
    for (uint64_t i = 1; i <= n && st == SEAM_OK; i++) {
        const struct shop_gen_product *p =
            &g->products[seam_zipf_next(&g->product_zipf, &g->rng) % g->product_count];
        int64_t quantity = seam_rng_below(&g->rng, 4) == 0 ? seam_rng_range(&g->rng, 2, 12) : 1;

        set_defaults(t);
        set(t, L_ORDER, seam_v_int(id));
        set(t, L_LINE, seam_v_int((int64_t)i));
        set(t, L_PRODUCT, seam_v_int(p->id));
        set(t, L_QUANTITY, seam_v_int(quantity));
        set(t, L_PRICE, seam_v_decimal(p->price, (uint8_t)price_scale(g)));
        st = oltp_insert(txn, t->id, t->values, f);
        seam_jw_object(w);
        seam_jw_key(w, "line_no");
        seam_jw_uint(w, i);
        seam_jw_key(w, "product_id");
        seam_jw_int(w, p->id);
        seam_jw_key(w, "quantity");
        seam_jw_int(w, quantity);
        key_money(w, "unit_price", p->price, price_scale(g));
        seam_jw_end_object(w);
        total += quantity * p->price;
        g->stats.units += quantity;
    }
    seam_jw_end_array(w);
    key_money(w, "total", total, price_scale(g));
    g->stats.lines += n;
    g->stats.revenue += total;
    return st;
}

static enum seam_status place_order(struct shop_gen *g, struct seam_fault *f)
{
    uint64_t customer = seam_zipf_next(&g->customer_zipf, &g->rng) % g->o.customers;
    int64_t id = g->next_order;
    struct oltp_txn *txn = NULL;
    struct seam_json_writer w;
    bool is_new = !g->customer_known[customer];
    enum seam_status st;

    g->last_us = order_time(g, g->stats.orders);
    st = oltp_write_begin(g->db, &txn, f);
    if (st == SEAM_OK && is_new) st = put_customer(g, txn, customer, f);
    if (st == SEAM_OK) st = put_order(g, txn, id, customer, f);
    if (st == SEAM_OK) {
        event_begin(g, &w, "order_id", id);
        seam_jw_key(&w, "customer_id");
        seam_jw_int(&w, g->first_customer + (int64_t)customer);
        seam_jw_key(&w, "status");
        seam_jw_str(&w, "placed");
        st = put_lines(g, txn, id, &w, f);
        seam_jw_end_object(&w);
    }
    if (st == SEAM_OK) st = event_put(g, txn, "order", id, "OrderPlaced", f);
    st = finish(g, txn, st, f);
    if (st != SEAM_OK) return st;
    g->customer_known[customer] = 1;
    g->stats.customers += is_new;
    g->stats.orders++;
    g->next_order++;
    g->open[g->open_count++] = (struct open_order){id, g->first_customer + (int64_t)customer};
    return SEAM_OK;
}

/* ---- what happens around orders ---- */

static enum seam_status settle_order(struct shop_gen *g, size_t i, bool cancel,
                                     struct seam_fault *f)
{
    struct shop_gen_table *t = &g->tables[T_ORDERS];
    struct open_order order = g->open[i];
    const char *status = cancel ? "cancelled" : "shipped";
    struct oltp_txn *txn = NULL;
    struct seam_json_writer w;
    enum seam_status st = oltp_write_begin(g->db, &txn, f);

    memmove(&g->open[i], &g->open[i + 1], (g->open_count - i - 1) * sizeof g->open[0]);
    g->open_count--;
    g->last_us += 1000;
    if (st == SEAM_OK) st = load(g, txn, t, order.id, f);
    if (st == SEAM_OK) {
        set(t, O_STATUS, seam_v_str(status));
        touch(g, t, O_UPDATED, O_VERSION);
        st = oltp_update(txn, t->id, t->values, f);
    }
    if (st == SEAM_OK) {
        event_begin(g, &w, "order_id", order.id);
        seam_jw_key(&w, "customer_id");
        seam_jw_int(&w, order.customer);
        seam_jw_key(&w, "status");
        seam_jw_str(&w, status);
        seam_jw_end_object(&w);
        st = event_put(g, txn, "order", order.id, cancel ? "OrderCancelled" : "OrderShipped", f);
    }
    st = finish(g, txn, st, f);
    if (st == SEAM_OK) *(cancel ? &g->stats.cancelled : &g->stats.shipped) += 1;
    return st;
}

static enum seam_status change_product(struct shop_gen *g, bool price, struct seam_fault *f)
{
    struct shop_gen_table *t = &g->tables[T_PRODUCTS];
    struct shop_gen_product *p =
        &g->products[seam_zipf_next(&g->product_zipf, &g->rng) % g->product_count];
    int64_t step =
        seam_decimal_pow10(price_scale(g) > 2 ? price_scale(g) - 2 : 0) * 5; /* five hundredths */
    int64_t fresh = p->price + p->price * seam_rng_range(&g->rng, -12, 12) / 100;
    struct oltp_txn *txn = NULL;
    struct seam_json_writer w;
    enum seam_status st;

    fresh = fresh / step * step;
    if (fresh < step) fresh = step;
    if (!price) p->stock = seam_rng_range(&g->rng, 0, 400);
    g->last_us += 1000;
    st = oltp_write_begin(g->db, &txn, f);
    if (st == SEAM_OK) st = load(g, txn, t, p->id, f);
    if (st == SEAM_OK) {
        event_begin(g, &w, "product_id", p->id);
        if (price) {
            set(t, P_PRICE, seam_v_decimal(fresh, (uint8_t)price_scale(g)));
            key_money(&w, "from", p->price, price_scale(g));
            key_money(&w, "to", fresh, price_scale(g));
        } else {
            set(t, P_STOCK, seam_v_int(p->stock));
            seam_jw_key(&w, "stock");
            seam_jw_int(&w, p->stock);
        }
        seam_jw_end_object(&w);
        touch(g, t, P_UPDATED, P_VERSION);
        st = oltp_update(txn, t->id, t->values, f);
    }
    if (st == SEAM_OK)
        st = event_put(g, txn, "product", p->id, price ? "ProductPriceChanged" : "StockCounted", f);
    st = finish(g, txn, st, f);
    if (st != SEAM_OK) return st;
    if (price) p->price = fresh;
    *(price ? &g->stats.prices : &g->stats.stocks) += 1;
    return SEAM_OK;
}

static enum seam_status delete_product(struct shop_gen *g, struct seam_fault *f)
{
    size_t i = seam_rng_below(&g->rng, g->product_count);
    struct shop_gen_product p = g->products[i];
    struct seam_value key = seam_v_int(p.id);
    struct oltp_txn *txn = NULL;
    struct seam_json_writer w;
    enum seam_status st;

    if (g->product_count < 2) return SEAM_OK;
    g->last_us += 1000;
    st = oltp_write_begin(g->db, &txn, f);
    if (st == SEAM_OK) st = oltp_delete(txn, g->tables[T_PRODUCTS].id, &key, f);
    if (st == SEAM_OK) {
        event_begin(g, &w, "product_id", p.id);
        seam_jw_end_object(&w);
        st = event_put(g, txn, "product", p.id, "ProductDeleted", f);
    }
    st = finish(g, txn, st, f);
    if (st != SEAM_OK) return st;
    g->products[i] = g->products[--g->product_count];
    seam_zipf_init(&g->product_zipf, g->product_count, g->o.skew);
    g->stats.deleted++;
    return SEAM_OK;
}

static bool happens(struct shop_gen *g, uint32_t per_1000)
{
    return seam_rng_below(&g->rng, 1000) < per_1000;
}

static enum seam_status step(struct shop_gen *g, struct seam_fault *f)
{
    enum seam_status st = place_order(g, f);

    if (st == SEAM_OK && happens(g, g->o.cancel_per_1000))
        st = settle_order(g, seam_rng_below(&g->rng, g->open_count), true, f);
    /* The oldest orders leave the house when a good day's worth is waiting. */
    if (st == SEAM_OK && g->open_count > OPEN_ORDERS / 2) st = settle_order(g, 0, false, f);
    if (st == SEAM_OK && happens(g, g->o.price_per_1000)) st = change_product(g, true, f);
    if (st == SEAM_OK && happens(g, g->o.stock_per_1000)) st = change_product(g, false, f);
    if (st == SEAM_OK && g->o.deletions > 0 &&
        g->stats.deleted < g->o.deletions * (g->stats.orders / g->o.orders) +
                               g->o.deletions * (g->stats.orders % g->o.orders) / g->o.orders)
        st = delete_product(g, f);
    g->stats.now_us = g->last_us;
    return st;
}

enum seam_status shop_gen_step(struct shop_gen *g, uint64_t n, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (uint64_t i = 0; i < n && st == SEAM_OK; i++) {
        st = step(g, f);
        if (g->o.progress != NULL && g->stats.orders % 500 == 0)
            g->o.progress(g->o.progress_ctx, g->stats.orders, g->o.orders);
    }
    return st;
}

enum seam_status shop_gen_run(struct oltp *db, const struct shop_gen_options *o,
                              struct shop_gen_stats *out, struct seam_fault *f)
{
    struct shop_gen *g = NULL;
    enum seam_status st = shop_gen_open(db, o, &g, f);

    *out = (struct shop_gen_stats){0};
    if (st != SEAM_OK) return st;
    st = shop_gen_step(g, g->o.orders, f);
    *out = g->stats;
    if (st == SEAM_OK && out->lsn != SEAM_LSN_NONE) st = oltp_wait(db, out->lsn, f);
    shop_gen_close(g);
    return st;
}
