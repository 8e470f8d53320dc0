// Every candidate is drawn anew: the baseline that any other strategy has to beat (Li and Talwalkar 2019).
strategy random_search() {
  loop { submit(random()) }
}
