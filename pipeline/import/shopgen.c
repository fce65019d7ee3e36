#include "pipeline/import/shopgen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/text/json.h"
#include "engine/base/rng.h"

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
    enum value_type type;
    int flags;
};

static const struct wanted wanted_products[P_COLUMNS] = {{"product_id", V_INT, REQUIRED},
                                                         {"price", V_DECIMAL, REQUIRED},
                                                         {"stock", V_INT, 0},
                                                         {"updated_at", V_TIME, 0},
                                                         {"version", V_INT, 0}};
static const struct wanted wanted_customers[C_COLUMNS] = {
    {"customer_id", V_INT, REQUIRED}, {"name", V_TEXT, 0},       {"email", V_TEXT, 0},
    {"country", V_TEXT, 0},           {"created_at", V_TIME, 0}, {"version", V_INT, 0}};
static const struct wanted wanted_orders[O_COLUMNS] = {
    {"order_id", V_INT, REQUIRED}, {"customer_id", V_INT, REQUIRED},
    {"status", V_TEXT, REQUIRED},  {"placed_at", V_TIME, REQUIRED},
    {"country", V_TEXT, 0},        {"updated_at", V_TIME, 0},
    {"version", V_INT, 0}};
static const struct wanted wanted_lines[L_COLUMNS] = {{"order_id", V_INT, REQUIRED},
                                                      {"line_no", V_INT, REQUIRED},
                                                      {"product_id", V_INT, REQUIRED},
                                                      {"quantity", V_INT, REQUIRED},
                                                      {"unit_price", V_DECIMAL, REQUIRED}};

struct table {
    uint32_t id;
    struct schema schema;
    int column[8];
    struct value values[COLUMNS_MAX];
};

struct product {
    int64_t id, price, stock;
}; /* price in the scale of products.price */
struct open_order {
    int64_t id;
    int64_t customer;
};

struct shopgen {
    struct oltp *db;
    struct shopgen_options o;
    struct table tables[T_COUNT];
    struct rng rng;
    struct zipf product_zipf, customer_zipf;
    struct product *products; /* by popularity */
    size_t product_count;
    uint8_t *customer_known;
    int64_t first_customer, next_order;
    double *day_ends; /* share of the orders up to the end of each day */
    struct open_order open[OPEN_ORDERS];
    size_t open_count;
    int64_t last_us;
    struct buf row, json;
    struct shopgen_stats stats;
};

/* ---- opening ---- */

static enum status open_table(struct oltp_txn *t, struct table *table, const char *name,
                              const struct wanted *wanted, int count, struct fault *f)
{
    enum status st = oltp_table(t, name, &table->id, f);

    if (st != ST_OK) return st;
    if (schema_clone(oltp_schema(t, table->id), &table->schema) != ST_OK)
        return fault_set(f, ST_NOMEM, name, FAULT_NO_OFFSET, "no memory for a schema");
    for (int i = 0; i < count; i++) {
        int c = schema_column(&table->schema, wanted[i].name);

        if (c >= 0 && table->schema.columns[c].type != wanted[i].type)
            return fault_set(f, ST_INVALID, name, FAULT_NO_OFFSET, "%s is %s, not %s",
                             wanted[i].name, value_type_name(table->schema.columns[c].type),
                             value_type_name(wanted[i].type));
        if (c < 0 && (wanted[i].flags & REQUIRED) != 0)
            return fault_set(f, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "the table has no column %s",
                             wanted[i].name);
        table->column[i] = c;
    }
    return ST_OK;
}

static enum status last_key(struct oltp_txn *t, const struct table *table, int64_t *out,
                            struct fault *f)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct value v;
    enum status st = oltp_cursor_open(t, table->id, 0, NULL, 0, &c, f);

    *out = 0;
    if (st == ST_OK) st = oltp_cursor_prev(c, &row, f);
    if (st == ST_OK)
        st = row_get(&table->schema, row.row.data, row.row.size, table->column[0], &v, f);
    if (st == ST_OK) *out = v.i;
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}

static enum status read_products(struct shopgen *g, struct oltp_txn *t, struct fault *f)
{
    const struct table *table = &g->tables[T_PRODUCTS];
    uint64_t count = oltp_count(t, table->id, 0);
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct value v[COLUMNS_MAX];
    enum status st;

    if (count == 0)
        return fault_set(f, ST_NOT_FOUND, "products", FAULT_NO_OFFSET,
                         "there are no products to order");
    g->products = calloc(count, sizeof *g->products);
    if (g->products == NULL)
        return fault_set(f, ST_NOMEM, "products", FAULT_NO_OFFSET, "no memory for the products");
    st = oltp_cursor_open(t, table->id, 0, NULL, 0, &c, f);
    while (st == ST_OK && g->product_count < count) {
        st = oltp_cursor_next(c, &row, f);
        if (st == ST_OK) st = row_decode(&table->schema, row.row.data, row.row.size, v, f);
        if (st != ST_OK) break;
        g->products[g->product_count++] = (struct product){
            .id = v[table->column[P_ID]].i,
            .price = v[table->column[P_PRICE]].type == V_DECIMAL ? v[table->column[P_PRICE]].i : 0,
            .stock = table->column[P_STOCK] >= 0 && v[table->column[P_STOCK]].type == V_INT
                         ? v[table->column[P_STOCK]].i
                         : 0};
    }
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}

/* Season: quiet after New Year, a bump at Easter, a long rise to Christmas; weekdays beat Sundays.
 */
static double day_weight(int64_t day_us)
{
    static const double months[12] = {0.75, 0.75, 0.95, 0.85, 1.0, 0.95,
                                      0.9,  0.9,  1.15, 1.3,  1.7, 1.3};
    static const double weekdays[7] = {1.15, 1.1, 1.05, 1.0, 1.0, 0.8, 0.7}; /* Monday first */
    struct civil c;
    int64_t day = day_us / US_PER_DAY;

    time_to_civil(day_us, &c);
    return months[c.month - 1] * weekdays[((day + 3) % 7 + 7) % 7];
}

static enum status spread_days(struct shopgen *g, struct fault *f)
{
    double sum = 0;

    g->day_ends = calloc(g->o.days, sizeof *g->day_ends);
    if (g->day_ends == NULL)
        return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for the days");
    for (uint32_t d = 0; d < g->o.days; d++) {
        sum += day_weight(g->o.start_us + (int64_t)d * US_PER_DAY);
        g->day_ends[d] = sum;
    }
    for (uint32_t d = 0; d < g->o.days; d++)
        g->day_ends[d] /= sum;
    return ST_OK;
}

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
    return v == UINT32_MAX ? 0 : v == 0 ? otherwise : v;
}

static void fill_options(struct shopgen *g, const struct shopgen_options *o)
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

static enum status read_shop(struct shopgen *g, struct fault *f)
{
    struct oltp_txn *t = NULL;
    int64_t last = 0;
    enum status st = oltp_read_begin(g->db, &t, f);

    if (st == ST_OK)
        st = open_table(t, &g->tables[T_PRODUCTS], "products", wanted_products, P_COLUMNS, f);
    if (st == ST_OK)
        st = open_table(t, &g->tables[T_CUSTOMERS], "customers", wanted_customers, C_COLUMNS, f);
    if (st == ST_OK)
        st = open_table(t, &g->tables[T_ORDERS], "orders", wanted_orders, O_COLUMNS, f);
    if (st == ST_OK)
        st = open_table(t, &g->tables[T_LINES], "order_lines", wanted_lines, L_COLUMNS, f);
    if (st == ST_OK) st = read_products(g, t, f);
    if (st == ST_OK) st = last_key(t, &g->tables[T_CUSTOMERS], &last, f);
    g->first_customer = last + 1;
    if (st == ST_OK) st = last_key(t, &g->tables[T_ORDERS], &last, f);
    g->next_order = last + 1;
    oltp_end(t);
    return st;
}

enum status shopgen_open(struct oltp *db, const struct shopgen_options *o, struct shopgen **out,
                         struct fault *f)
{
    struct shopgen *g = calloc(1, sizeof *g);
    enum status st;

    if (g == NULL)
        return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for a generator");
    g->db = db;
    fill_options(g, o);
    st = read_shop(g, f);
    if (st == ST_OK) st = spread_days(g, f);
    if (st == ST_OK) {
        g->customer_known = calloc(g->o.customers, 1);
        if (g->customer_known == NULL)
            st = fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for the customers");
    }
    if (st == ST_OK) {
        rng_seed(&g->rng, g->o.seed);
        rng_shuffle(&g->rng, g->products, g->product_count, sizeof *g->products);
        zipf_init(&g->product_zipf, g->product_count, g->o.skew);
        zipf_init(&g->customer_zipf, g->o.customers, 0.5);
        g->last_us = g->o.start_us;
        *out = g;
        g = NULL;
    }
    shopgen_close(g);
    return st;
}

void shopgen_close(struct shopgen *g)
{
    if (g == NULL) return;
    for (int i = 0; i < T_COUNT; i++)
        schema_free(&g->tables[i].schema);
    free(g->products);
    free(g->customer_known);
    free(g->day_ends);
    buf_free(&g->row);
    buf_free(&g->json);
    free(g);
}

const struct shopgen_stats *shopgen_stats(const struct shopgen *g)
{
    return &g->stats;
}

/* ---- helpers of all transactions ---- */

static void set(struct table *t, int which, struct value v)
{
    if (t->column[which] >= 0) t->values[t->column[which]] = v;
}

static void set_defaults(struct table *t)
{
    for (uint16_t i = 0; i < t->schema.column_count; i++)
        t->values[i] = column_live(&t->schema.columns[i], t->schema.version)
                           ? t->schema.columns[i].def
                           : v_null();
}

/* Reads the row with this id into t->values (copied, so that it outlives the change). ST_NOT_FOUND.
 */
static enum status load(struct shopgen *g, struct oltp_txn *txn, struct table *t, int64_t id,
                        struct fault *f)
{
    struct value key = v_int(id);
    struct oltp_row row;
    enum status st = oltp_get(txn, t->id, &key, &row, f);

    if (st != ST_OK) return st;
    buf_clear(&g->row);
    buf_append(&g->row, row.row.data, row.row.size);
    if (!buf_ok(&g->row))
        return fault_set(f, ST_NOMEM, t->schema.name, FAULT_NO_OFFSET, "no memory for a row");
    return row_decode(&t->schema, g->row.data, g->row.size, t->values, f);
}

static void touch(struct shopgen *g, struct table *t, int updated, int version)
{
    set(t, updated, v_time(g->last_us));
    if (t->column[version] >= 0)
        t->values[t->column[version]] = v_int(t->values[t->column[version]].i + 1);
}

static enum status finish(struct shopgen *g, struct oltp_txn *txn, enum status st, struct fault *f)
{
    struct oltp_commit c;

    if (st != ST_OK) {
        oltp_end(txn);
        return st;
    }
    st = oltp_commit(txn, g->o.mode, &c, f);
    if (st != ST_OK) return st;
    g->stats.lsn = c.lsn;
    g->stats.transactions++;
    return ST_OK;
}

static void event_begin(struct shopgen *g, struct json_writer *w, const char *id_name, int64_t id)
{
    char at[40];

    buf_clear(&g->json);
    jw_init(w, &g->json);
    jw_object(w);
    jw_key(w, id_name);
    jw_int(w, id);
    jw_key(w, "at");
    jw_strn(w, at, time_format(g->last_us, at));
}

static enum status event_put(struct shopgen *g, struct oltp_txn *txn, const char *aggregate,
                             int64_t id, const char *type, struct fault *f)
{
    char text[32];
    size_t n = decimal_format(id, 0, text);

    if (!buf_ok(&g->json))
        return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for an event");
    return oltp_outbox_put(txn, aggregate, (struct bytes){(const uint8_t *)text, n}, type,
                           (struct bytes){g->json.data, g->json.size}, f);
}

static void key_money(struct json_writer *w, const char *key, int64_t v, unsigned scale)
{
    char text[32];

    jw_key(w, key);
    jw_strn(w, text, decimal_format(v, scale, text));
}

static unsigned price_scale(const struct shopgen *g)
{
    return g->tables[T_PRODUCTS].schema.columns[g->tables[T_PRODUCTS].column[P_PRICE]].scale;
}

/* ---- an order ---- */

/* The moment of order number n: days by weight, hours by a shop's day, never before the one before.
 */
static int64_t order_time(struct shopgen *g, uint64_t n)
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
         (int64_t)(within * 16 * 3600) * 1000000ll + (int64_t)rng_below(&g->rng, 1000) * 1000;
    return us > g->last_us ? us : g->last_us + 1000;
}

static const char *const countries[] = {"United Kingdom", "Germany",     "France",  "Ireland",
                                        "Spain",          "Netherlands", "Belgium", "Switzerland"};

/* Fixed for a customer, from its number alone.                                                   */
static const char *country_of(uint64_t number)
{
    uint64_t state = number, z = splitmix64(&state);

    return countries[z % 100 < 70 ? 0 : 1 + (z >> 32) % (ARRAY_LEN(countries) - 1)];
}

static enum status put_customer(struct shopgen *g, struct oltp_txn *txn, uint64_t number,
                                struct fault *f)
{
    static const char *const first[] = {"Ada",  "Ben",   "Chloe", "Dev",  "Elif", "Finn", "Grace",
                                        "Hugo", "Iris",  "Jonas", "Kim",  "Lena", "Milo", "Nora",
                                        "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tara"};
    static const char *const last[] = {"Archer",  "Baker",  "Cooper", "Dyer",   "Ellis",
                                       "Fischer", "Garcia", "Hughes", "Ito",    "Jensen",
                                       "Keller",  "Lopez",  "Martin", "Novak",  "Okoye",
                                       "Petit",   "Rossi",  "Smith",  "Tailor", "Weaver"};
    struct table *t = &g->tables[T_CUSTOMERS];
    uint64_t state = number + 1, z = splitmix64(&state);
    const char *a = first[z % ARRAY_LEN(first)], *b = last[(z >> 20) % ARRAY_LEN(last)];
    char name[64], email[96];

    snprintf(name, sizeof name, "%s %s", a, b);
    snprintf(email, sizeof email, "%c.%s.%" PRIu64 "@example.com", a[0] + 32, b, number);
    set_defaults(t);
    set(t, C_ID, v_int(g->first_customer + (int64_t)number));
    set(t, C_NAME, v_str(name));
    set(t, C_EMAIL, v_str(email));
    set(t, C_COUNTRY, v_str(country_of(number)));
    set(t, C_CREATED, v_time(g->last_us));
    set(t, C_VERSION, v_int(1));
    return oltp_insert(txn, t->id, t->values, f);
}

static enum status put_order(struct shopgen *g, struct oltp_txn *txn, int64_t id, uint64_t customer,
                             struct fault *f)
{
    struct table *t = &g->tables[T_ORDERS];

    set_defaults(t);
    set(t, O_ID, v_int(id));
    set(t, O_CUSTOMER, v_int(g->first_customer + (int64_t)customer));
    set(t, O_STATUS, v_str("placed"));
    set(t, O_PLACED, v_time(g->last_us));
    set(t, O_COUNTRY, v_str(country_of(customer)));
    set(t, O_UPDATED, v_time(g->last_us));
    set(t, O_VERSION, v_int(1));
    return oltp_insert(txn, t->id, t->values, f);
}

static uint64_t line_count(struct shopgen *g)
{
    uint64_t n = 1;

    while (n < LINES_MAX && rng_below(&g->rng, 100) < 62)
        n++;
    return n;
}

static enum status put_lines(struct shopgen *g, struct oltp_txn *txn, int64_t id,
                             struct json_writer *w, struct fault *f)
{
    struct table *t = &g->tables[T_LINES];
    uint64_t n = line_count(g);
    int64_t total = 0;
    enum status st = ST_OK;

    jw_key(w, "lines");
    jw_array(w);
    for (uint64_t i = 1; i <= n && st == ST_OK; i++) {
        const struct product *p =
            &g->products[zipf_next(&g->product_zipf, &g->rng) % g->product_count];
        int64_t quantity = rng_below(&g->rng, 4) == 0 ? rng_range(&g->rng, 2, 12) : 1;

        set_defaults(t);
        set(t, L_ORDER, v_int(id));
        set(t, L_LINE, v_int((int64_t)i));
        set(t, L_PRODUCT, v_int(p->id));
        set(t, L_QUANTITY, v_int(quantity));
        set(t, L_PRICE, v_decimal(p->price, (uint8_t)price_scale(g)));
        st = oltp_insert(txn, t->id, t->values, f);
        jw_object(w);
        jw_key(w, "line_no");
        jw_uint(w, i);
        jw_key(w, "product_id");
        jw_int(w, p->id);
        jw_key(w, "quantity");
        jw_int(w, quantity);
        key_money(w, "unit_price", p->price, price_scale(g));
        jw_end_object(w);
        total += quantity * p->price;
        g->stats.units += quantity;
    }
    jw_end_array(w);
    key_money(w, "total", total, price_scale(g));
    g->stats.lines += n;
    g->stats.revenue += total;
    return st;
}

static enum status place_order(struct shopgen *g, struct fault *f)
{
    uint64_t customer = zipf_next(&g->customer_zipf, &g->rng) % g->o.customers;
    int64_t id = g->next_order;
    struct oltp_txn *txn = NULL;
    struct json_writer w;
    bool is_new = !g->customer_known[customer];
    enum status st;

    g->last_us = order_time(g, g->stats.orders);
    st = oltp_write_begin(g->db, &txn, f);
    if (st == ST_OK && is_new) st = put_customer(g, txn, customer, f);
    if (st == ST_OK) st = put_order(g, txn, id, customer, f);
    if (st == ST_OK) {
        event_begin(g, &w, "order_id", id);
        jw_key(&w, "customer_id");
        jw_int(&w, g->first_customer + (int64_t)customer);
        jw_key(&w, "status");
        jw_str(&w, "placed");
        st = put_lines(g, txn, id, &w, f);
        jw_end_object(&w);
    }
    if (st == ST_OK) st = event_put(g, txn, "order", id, "OrderPlaced", f);
    st = finish(g, txn, st, f);
    if (st != ST_OK) return st;
    g->customer_known[customer] = 1;
    g->stats.customers += is_new;
    g->stats.orders++;
    g->next_order++;
    g->open[g->open_count++] = (struct open_order){id, g->first_customer + (int64_t)customer};
    return ST_OK;
}

/* ---- what happens around orders ---- */

static enum status settle_order(struct shopgen *g, size_t i, bool cancel, struct fault *f)
{
    struct table *t = &g->tables[T_ORDERS];
    struct open_order order = g->open[i];
    const char *status = cancel ? "cancelled" : "shipped";
    struct oltp_txn *txn = NULL;
    struct json_writer w;
    enum status st = oltp_write_begin(g->db, &txn, f);

    memmove(&g->open[i], &g->open[i + 1], (g->open_count - i - 1) * sizeof g->open[0]);
    g->open_count--;
    g->last_us += 1000;
    if (st == ST_OK) st = load(g, txn, t, order.id, f);
    if (st == ST_OK) {
        set(t, O_STATUS, v_str(status));
        touch(g, t, O_UPDATED, O_VERSION);
        st = oltp_update(txn, t->id, t->values, f);
    }
    if (st == ST_OK) {
        event_begin(g, &w, "order_id", order.id);
        jw_key(&w, "customer_id");
        jw_int(&w, order.customer);
        jw_key(&w, "status");
        jw_str(&w, status);
        jw_end_object(&w);
        st = event_put(g, txn, "order", order.id, cancel ? "OrderCancelled" : "OrderShipped", f);
    }
    st = finish(g, txn, st, f);
    if (st == ST_OK) *(cancel ? &g->stats.cancelled : &g->stats.shipped) += 1;
    return st;
}

static enum status change_product(struct shopgen *g, bool price, struct fault *f)
{
    struct table *t = &g->tables[T_PRODUCTS];
    struct product *p = &g->products[zipf_next(&g->product_zipf, &g->rng) % g->product_count];
    int64_t step =
        decimal_pow10(price_scale(g) > 2 ? price_scale(g) - 2 : 0) * 5; /* five hundredths */
    int64_t fresh = p->price + p->price * rng_range(&g->rng, -12, 12) / 100;
    struct oltp_txn *txn = NULL;
    struct json_writer w;
    enum status st;

    fresh = fresh / step * step;
    if (fresh < step) fresh = step;
    if (!price) p->stock = rng_range(&g->rng, 0, 400);
    g->last_us += 1000;
    st = oltp_write_begin(g->db, &txn, f);
    if (st == ST_OK) st = load(g, txn, t, p->id, f);
    if (st == ST_OK) {
        event_begin(g, &w, "product_id", p->id);
        if (price) {
            set(t, P_PRICE, v_decimal(fresh, (uint8_t)price_scale(g)));
            key_money(&w, "from", p->price, price_scale(g));
            key_money(&w, "to", fresh, price_scale(g));
        } else {
            set(t, P_STOCK, v_int(p->stock));
            jw_key(&w, "stock");
            jw_int(&w, p->stock);
        }
        jw_end_object(&w);
        touch(g, t, P_UPDATED, P_VERSION);
        st = oltp_update(txn, t->id, t->values, f);
    }
    if (st == ST_OK)
        st = event_put(g, txn, "product", p->id, price ? "ProductPriceChanged" : "StockCounted", f);
    st = finish(g, txn, st, f);
    if (st != ST_OK) return st;
    if (price) p->price = fresh;
    *(price ? &g->stats.prices : &g->stats.stocks) += 1;
    return ST_OK;
}

static enum status delete_product(struct shopgen *g, struct fault *f)
{
    size_t i = rng_below(&g->rng, g->product_count);
    struct product p = g->products[i];
    struct value key = v_int(p.id);
    struct oltp_txn *txn = NULL;
    struct json_writer w;
    enum status st;

    if (g->product_count < 2) return ST_OK;
    g->last_us += 1000;
    st = oltp_write_begin(g->db, &txn, f);
    if (st == ST_OK) st = oltp_delete(txn, g->tables[T_PRODUCTS].id, &key, f);
    if (st == ST_OK) {
        event_begin(g, &w, "product_id", p.id);
        jw_end_object(&w);
        st = event_put(g, txn, "product", p.id, "ProductDeleted", f);
    }
    st = finish(g, txn, st, f);
    if (st != ST_OK) return st;
    g->products[i] = g->products[--g->product_count];
    zipf_init(&g->product_zipf, g->product_count, g->o.skew);
    g->stats.deleted++;
    return ST_OK;
}

static bool happens(struct shopgen *g, uint32_t per_1000)
{
    return rng_below(&g->rng, 1000) < per_1000;
}

static enum status step(struct shopgen *g, struct fault *f)
{
    enum status st = place_order(g, f);

    if (st == ST_OK && happens(g, g->o.cancel_per_1000))
        st = settle_order(g, rng_below(&g->rng, g->open_count), true, f);
    /* The oldest orders leave the house when a good day's worth is waiting. */
    if (st == ST_OK && g->open_count > OPEN_ORDERS / 2) st = settle_order(g, 0, false, f);
    if (st == ST_OK && happens(g, g->o.price_per_1000)) st = change_product(g, true, f);
    if (st == ST_OK && happens(g, g->o.stock_per_1000)) st = change_product(g, false, f);
    if (st == ST_OK && g->o.deletions > 0 &&
        g->stats.deleted < g->o.deletions * (g->stats.orders / g->o.orders) +
                               g->o.deletions * (g->stats.orders % g->o.orders) / g->o.orders)
        st = delete_product(g, f);
    g->stats.now_us = g->last_us;
    return st;
}

enum status shopgen_step(struct shopgen *g, uint64_t n, struct fault *f)
{
    enum status st = ST_OK;

    for (uint64_t i = 0; i < n && st == ST_OK; i++) {
        st = step(g, f);
        if (g->o.progress != NULL && g->stats.orders % 500 == 0)
            g->o.progress(g->o.progress_ctx, g->stats.orders, g->o.orders);
    }
    return st;
}

enum status shopgen_run(struct oltp *db, const struct shopgen_options *o, struct shopgen_stats *out,
                        struct fault *f)
{
    struct shopgen *g = NULL;
    enum status st = shopgen_open(db, o, &g, f);

    *out = (struct shopgen_stats){0};
    if (st != ST_OK) return st;
    st = shopgen_step(g, g->o.orders, f);
    *out = g->stats;
    if (st == ST_OK && out->lsn != LSN_NONE) st = oltp_wait(db, out->lsn, f);
    shopgen_close(g);
    return st;
}
