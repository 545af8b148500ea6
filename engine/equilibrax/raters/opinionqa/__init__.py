"""OpinionQA: answers of people in a survey, and those of models to the same questions."""
