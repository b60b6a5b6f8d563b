// Uses a generated client against a running server: see tests/test_clients.py. The types are part of the test.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };
const [baseUrl = "", name = "", line = "", key = ""] = process.argv.slice(2);
type Schemas = components["schemas"];

function answered<Data>({ data, response }: { data?: Data; response: Response }): NonNullable<Data> {
  if (data === undefined || data === null) throw new Error(`${response.url}: ${response.status}`);
  return data;
}

const anybody = createClient<paths>({ baseUrl });
const resources: Schemas["Resource"][] = answered(
  await anybody.GET("/resources/percentile/{number}", { params: { path: { number: 50 }, query: { territory: "ES" } } }),
);
for (const { dsp_id, revenue, usages } of resources) console.log(dsp_id, revenue, usages);

const query = { from: "2026-01-01", to: "2026-01-31" };
const totals: Schemas["UsageTotal"][] = answered(await anybody.GET("/subscriptions/usage/", { params: { query } }));
for (const { total_price, unit } of totals) console.log(total_price, unit);
const csv: string = answered(
  await anybody.GET("/subscriptions/usage.csv", { params: { query }, parseAs: "text" }),
);
console.log(csv.split("\r\n")[0]);
const found = await anybody.GET("/subscriptions/crossings/", { params: { query } });
const reached: Schemas["LimitCrossing"][] = answered(found);
for (const { day, price_limit, limit_of, span } of reached) {
  console.log(day, price_limit, limit_of, span, found.response.headers.get("current"));
}

const { token } = answered(await anybody.POST("/token/", { body: { username: "admin", password: "lovelace" } }));
const admin = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const form = new FormData();
form.append("file", new Blob([line]), name);
const report = answered(await admin.POST("/dsrs/", { body: { file: name }, bodySerializer: () => form }));
if ("job" in report) throw new Error("A report of one file waits for no other file.");
if ("dsrs" in report) throw new Error("A report of one DSR is no message.");
console.log(report.outcome, report.dsr.path);
const all: Schemas["DSR"][] = answered(await anybody.GET("/dsrs/"));
console.log(all.map(({ path }) => path).join(" "));

const of = { params: { path: { id: report.dsr.id } } };
const wrong = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}0` } });
const refused: Schemas["Error"] | undefined = (await wrong.GET("/dsrs/{id}", of)).error;
console.log(refused?.detail);
console.log((await anybody.DELETE("/dsrs/{id}", of)).response.status);
console.log((await admin.DELETE("/dsrs/{id}", of)).response.status);

const meter = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const created = await meter.POST("/subscriptions/", { body: { carrier: "sprint", status: "new" } });
const one: Schemas["Subscription"] = answered(created);
console.log(created.response.status, one.carrier, one.status);
const path = { id: one.id };
console.log(answered(await meter.PATCH("/subscriptions/{id}/", { params: { path }, body: { status: "expired" } })).status);
const record: Schemas["RecordRequest"] = {
  subscription_id: one.id,
  usage_date: "2026-01-05T12:00:00Z",
  price: "2.50",
  kilobytes_used: 7,
  external_id: "a",
};
const first: Schemas["Ingested"] = answered(await meter.POST("/subscriptions/records/", { body: [record] }));
console.log(first.added, first.repeated, first.refused);
const body = [
  { ...record, price: "3" },
  { ...record, price: "3", external_id: "b" },
];
const second: Schemas["Ingested"] = answered(
  await meter.POST("/subscriptions/records/", { params: { query: { partial: true } }, body }),
);
console.log(second.added, second.refused, second.results?.[0]?.problem?.code);
const rows: Schemas["CarrierUsage"][] = answered(
  await meter.GET("/subscriptions/usage/carriers/", {
    params: { query: { from: "2026-01-01", to: "2026-01-05", carrier: "sprint", group_by: "month" } },
  }),
);
for (const { carrier, month, subscription_count, total_price } of rows) {
  console.log(carrier, month, subscription_count, total_price);
}
const listed = answered(await meter.GET("/subscriptions/", { params: { query: { id: `${one.id}` } } }));
for (const { carrier } of listed) console.log(carrier);
const closed: Schemas["Error"] | undefined = (await meter.GET("/dsrs/{id}", { params: { path: { id: 1 } } })).error;
console.log(closed?.code);

const limited = await admin.POST("/subscriptions/limits/", {
  body: { usage_type: "data", span: "month", price: "5.50", carrier: "sprint", since: "2026-01" },
});
const limit: Schemas["PriceLimit"] = answered(limited);
console.log(limited.response.status, limit.price, limit.carrier, limit.since);
const limits: Schemas["PriceLimit"][] = answered(await anybody.GET("/subscriptions/limits/"));
console.log(limits.map(({ price }) => price).join(" "));
console.log((await anybody.GET("/subscriptions/crossings/")).response.headers.get("current"));
const ofLimit = { params: { path: { id: limit.id } } };
console.log((await admin.DELETE("/subscriptions/limits/{id}/", ofLimit)).response.status);
console.log((await admin.DELETE("/subscriptions/limits/{id}/", ofLimit)).response.status);

const registered = await admin.POST("/webhooks/", {
  body: { name: "statistics", url: "https://198.41.0.4/events", events: ["usage.limit_reached"] },
});
const { webhook, secret }: Schemas["WebhookSecret"] = answered(registered);
console.log(registered.response.status, webhook.name, secret.slice(0, 6));
const ofWebhook = { params: { path: { id: webhook.id } } };
const rotated = answered(await admin.POST("/webhooks/{id}/rotate/", ofWebhook));
console.log(rotated.secret !== secret ? "rotated" : "as before");
const off: Schemas["Webhook"] = answered(await admin.PATCH("/webhooks/{id}/", { ...ofWebhook, body: { enabled: false } }));
console.log(off.disabled_reason);
console.log((await admin.POST("/webhooks/{id}/test/", ofWebhook)).error?.code);
answered(await admin.PATCH("/webhooks/{id}/", { ...ofWebhook, body: { enabled: true } }));
const tested = await admin.POST("/webhooks/{id}/test/", ofWebhook);
const sent: Schemas["WebhookDelivery"] = answered(tested);
console.log(tested.response.status, sent.type, sent.state);
const again = answered(
  await admin.POST("/webhooks/{id}/deliveries/{delivery}/resend/", {
    params: { path: { id: webhook.id, delivery: sent.id } },
  }),
);
const deliveries = answered(await admin.GET("/webhooks/{id}/deliveries/", ofWebhook));
if (again.message_id === sent.message_id && JSON.stringify(again.content["data"]) === `{"webhook":${webhook.id}}`) {
  console.log("the same event again, in", deliveries.length, "delivery");
}
const webhooks: Schemas["Webhook"][] = answered(await admin.GET("/webhooks/"));
for (const { events } of webhooks) console.log(events.join(" "));
console.log((await meter.GET("/webhooks/")).error?.code);
console.log((await admin.DELETE("/webhooks/{id}/", ofWebhook)).response.status);
console.log((await admin.GET("/webhooks/{id}/", ofWebhook)).response.status);
