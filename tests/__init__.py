from core.threads import let_waiting_threads_sleep

let_waiting_threads_sleep()  # before any test loads torch: beside Kafka and PostgreSQL on two cores it matters most
