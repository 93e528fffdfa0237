// Prints each classified document once: node consume.js localhost:9092 my-group [topic]
//
// The topic gives a document at least once; its header `ce_id` is the same each time, so what was seen is dropped.
import { Kafka, logLevel } from "kafkajs";

const [bootstrap, groupId, topic = "opinion.document.classified.v1"] = process.argv.slice(2);
if (!bootstrap || !groupId) {
  console.error("node consume.js HOST:PORT GROUP [TOPIC]");
  process.exit(2);
}

const REMEMBERED = 100_000;
const seen = new Set(); // in the order of adding, so the first is the oldest

function isNew(ceId) {
  if (seen.has(ceId)) return false;
  if (seen.size >= REMEMBERED) seen.delete(seen.values().next().value);
  seen.add(ceId);
  return true;
}

const kafka = new Kafka({ clientId: "opinion-example", brokers: bootstrap.split(","), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId });

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => consumer.disconnect().finally(() => process.exit(0)));
}

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  // The offset is committed after this function; what was at work when the process died comes again.
  eachMessage: async ({ message }) => {
    const document = JSON.parse(message.value.toString("utf8"));
    const ceId = message.headers.ce_id?.toString() ?? `${document.id}:${document.revision ?? 0}`;
    if (!isNew(ceId)) return;
    console.log(JSON.stringify({ id: document.id, topic: document.topic_label, sentiment: document.sentiment }));
  },
});
