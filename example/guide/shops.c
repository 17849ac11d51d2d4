/* SPDX-License-Identifier: MIT */
/* Asks several shops for a price at once and says the best: a fan-out with the HTTP client.
 *
 *     SHOP_PRICE=30 ./shops --listen=127.0.0.1:8081            a shop
 *     SHOPS=127.0.0.1:8081,127.0.0.1:8082 ./shops --listen=127.0.0.1:8080
 *
 * GET /price/tea asks this shop, GET /best/tea all that $SHOPS names.
 * Guide: doc/guide/client.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

enum {
    SHOPS_MAX = 16,
    ANSWER_BYTES_MAX = 100,
    PATIENCE_MS = 300
};

/* One process's: each worker of a cluster makes its own. */
struct market {
    weir_client *client;
    char *names; /* of the shops, cut at the commas */
    const char *shops[SHOPS_MAX];
    size_t shop_count;
    const char *own_price; /* NULL: this is no shop */
};

/* What one of the tasks of a fan-out works on. */
struct question {
    struct market *market;
    const char *shop;
    const char *item;
    int price; /* out */
};

/* 0 and the price, or why there is none. */
static int ask_shop(void *arg)
{
    struct question *question = arg;
    char url[256];
    snprintf(url, sizeof url, "http://%s/price/%s", question->shop, question->item);
    weir_response *response;
    int rc = weir_client_get(question->market->client, &response, url, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    const char *text;
    rc = weir_response_body(response, &text, NULL, ANSWER_BYTES_MAX, WEIR_NO_DEADLINE);
    if (rc == 0 && weir_response_status(response) != 200)
        rc = WEIR_ENOENT;
    if (rc == 0)
        question->price = atoi(text);
    weir_response_close(response);
    return rc;
}

static int best(weir_request *q, weir_reply *r, void *user)
{
    struct market *market = user;
    struct question questions[SHOPS_MAX];
    struct weir_call calls[SHOPS_MAX];
    for (size_t i = 0; i < market->shop_count; i++) {
        questions[i] = (struct question){ .market = market,
                                          .shop = market->shops[i],
                                          .item = weir_request_param(q, "item") };
        calls[i] = (struct weir_call){ .fn = ask_shop, .arg = &questions[i] };
    }
    /* A shop that is down or slow costs its price, not the answer. */
    const struct weir_gather_opts opts = { .size = sizeof opts, .keep_going = true };
    const int rc = weir_gather(calls, market->shop_count, &opts, weir_in_ms(PATIENCE_MS));
    if (rc < 0 && rc != WEIR_ETIMEDOUT)
        return rc;
    int answered = 0;
    int best_price = 0;
    for (size_t i = 0; i < market->shop_count; i++) {
        if (calls[i].result != 0)
            continue;
        if (answered++ == 0 || questions[i].price < best_price)
            best_price = questions[i].price;
    }
    if (answered == 0)
        return weir_reply_text(r, 503, "no shop has answered\n");
    return weir_reply_text(r, 200, "%d of %zu shops: %d\n", answered, market->shop_count,
                           best_price);
}

static int price(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    const struct market *market = user;
    if (market->own_price == NULL)
        return weir_reply_text(r, 404, "this is no shop\n");
    return weir_reply_text(r, 200, "%s\n", market->own_price);
}

/* What the client knows of its destinations, in numbers. */
static int numbers(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    const struct market *market = user;
    struct weir_client_stats stats = { .size = sizeof stats };
    weir_client_stats_read(market->client, &stats);
    return weir_reply_text(r, 200, "calls %lld attempts %lld retries %lld connects %lld\n",
                           (long long)stats.calls, (long long)stats.attempts,
                           (long long)stats.retries, (long long)stats.connects);
}

static int name_shops(struct market *market)
{
    const char *names = getenv("SHOPS");
    market->own_price = getenv("SHOP_PRICE");
    market->names = strdup(names != NULL ? names : "");
    if (market->names == NULL)
        return WEIR_ENOMEM;
    for (char *name = strtok(market->names, ","); name != NULL; name = strtok(NULL, ",")) {
        if (market->shop_count == SHOPS_MAX)
            return WEIR_EOVERFLOW;
        market->shops[market->shop_count++] = name;
    }
    return 0;
}

static int start(weir_app *app)
{
    struct market *market = weir_app_user(app);
    int rc = name_shops(market);
    if (rc == 0)
        rc = weir_client_create(&market->client, NULL);
    if (rc == 0)
        rc = weir_app_route(app, "GET", "/price/:item", price, market);
    if (rc == 0)
        rc = weir_app_route(app, "GET", "/best/:item", best, market);
    if (rc == 0)
        rc = weir_app_route(app, "GET", "/numbers", numbers, market);
    return rc;
}

static void stop(weir_app *app)
{
    struct market *market = weir_app_user(app);
    if (market->client != NULL)
        weir_client_destroy(market->client);
    free(market->names);
}

int main(int argc, char **argv)
{
    static struct market market;
    return weir_main(argc, argv,
                     &(struct weir_app_spec){ .name = "shops",
                                              .summary = "asks shops for prices",
                                              .state = WEIR_STATE_NONE,
                                              .start = start,
                                              .stop = stop,
                                              .user = &market });
}
