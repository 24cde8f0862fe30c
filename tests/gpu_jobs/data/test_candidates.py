"""Which column of a typical public table is proposed as the target, from names and kinds of columns alone."""

from __future__ import annotations

from typing import Any

import pytest

from gpu_jobs.data.candidates import candidates

KINDS: dict[str, dict[str, Any]] = {
    "": {"type": "number", "distinct": 400},
    "few": {"type": "number", "distinct": 6},
    "two": {"type": "number", "distinct": 2},
    "yes": {"type": "boolean", "distinct": 2},
    "cat": {"type": "category", "distinct": 5},
    "many": {"type": "category", "distinct": 305},
    "date": {"type": "date", "distinct": 300},
    "text": {"type": "text", "distinct": 500},
    "id": {"type": "number", "distinct": 1000, "identifier": {"score": 0.99, "why": "counts the rows"}},
    "gaps": {"type": "number", "distinct": 90, "missing": 177},
}


def table(spec: str) -> list[dict[str, Any]]:
    """Columns from `name:kind, name:kind`; a name alone is a number of many values."""
    found = []
    for part in spec.split(", "):
        name, _, kind = part.partition(":")
        base = {"rows": 1000, "missing": 0, "constant": False, "all_missing": False, "identifier": None}
        found.append({**base, "name": name, **KINDS[kind]})
    return found


PUBLIC = {
    "Survived": "PassengerId:id, Survived:two, Pclass:few, Name:text, Sex:cat, Age:gaps, SibSp:few, Fare, Embarked:cat",
    "species": "species:cat, island:cat, bill_length_mm, bill_depth_mm, body_mass_g, sex:cat, year:few",
    "median_house_value": "longitude, latitude, housing_median_age, total_rooms, total_bedrooms:gaps, population, "
    "households, median_income, median_house_value, ocean_proximity:cat",
    "MEDV": "CRIM, ZN, INDUS, CHAS:two, NOX, RM, AGE, DIS, RAD:few, TAX, PTRATIO, B, LSTAT, MEDV",
    "price": "carat, cut:cat, color:cat, clarity:cat, depth, table, price, x, y, z",
    "mpg": "mpg, cylinders:few, displacement, horsepower, weight, acceleration, model_year:few, origin:few, "
    "car name:many",
    "class": "class:cat, cap-shape:cat, cap-color:cat, bruises:yes, odor:cat, habitat:cat",
    "diagnosis": "id:id, diagnosis:cat, radius_mean, texture_mean, area_mean, fractal_dimension_worst",
    "Churn": "customerID:many, gender:cat, SeniorCitizen:two, tenure, Contract:cat, MonthlyCharges, TotalCharges, "
    "Churn:yes",
    "Exited": "RowNumber:id, Surname:many, CreditScore, Geography:cat, Age, Balance, IsActiveMember:two, "
    "EstimatedSalary, Exited:two",
    "Attrition": "Age, Attrition:yes, BusinessTravel:cat, DailyRate, Department:cat, MonthlyIncome, "
    "PerformanceRating:few, YearsWithCurrManager",
    "y": "age, job:cat, marital:cat, education:cat, balance, duration, campaign, poutcome:cat, y:yes",
    "Outcome": "Pregnancies, Glucose, BloodPressure, SkinThickness, Insulin, BMI, Age, Outcome:two",
    "target": "age, sex:two, cp:few, trestbps, chol, fbs:two, thalach, exang:two, target:two",
    "income": "age, workclass:cat, fnlwgt, education:cat, occupation:cat, sex:cat, hours-per-week, income:cat",
    "Class": "Time, V1, V2, V3, V28, Amount, Class:two",
    "charges": "age, sex:cat, bmi, children:few, smoker:yes, region:cat, charges",
    "SalePrice": "Id:id, MSSubClass, LotArea, Street:cat, OverallQual:few, GrLivArea, SaleType:cat, "
    "SaleCondition:cat, SalePrice",
    "quality": "fixed acidity, volatile acidity, chlorides, pH, alcohol, quality:few",
    "Weekly_Sales": "Store:few, Date:date, Weekly_Sales, Holiday_Flag:two, Temperature, Fuel_Price, CPI, Unemployment",
    "selling_price": "name:many, year, selling_price, km_driven, fuel:cat, transmission:cat, owner:cat",
    "Rings": "Sex:cat, Length, Diameter, Height, Whole weight, Shell weight, Rings",
    "Cover_Type": "Elevation, Aspect, Slope, Soil_Type39:two, Soil_Type40:two, Cover_Type:few",
    "cnt": "instant:id, dteday:date, season:few, hr, temp, hum, windspeed, casual, registered, cnt",
    "Loan_Status": "Loan_ID:many, Gender:cat, ApplicantIncome, LoanAmount, Property_Area:cat, Loan_Status:yes",
    "stroke": "id:id, gender:cat, age, hypertension:two, bmi, smoking_status:cat, stroke:two",
    "isFraud": "step, type:cat, amount, nameOrig:many, oldbalanceOrg, newbalanceDest, isFraud:two",
    "trip_duration": "id:many, vendor_id:two, pickup_datetime:date, pickup_longitude, trip_duration",
    "Label": "Label:cat, SMS:text",
    "G3": "school:cat, sex:cat, age:few, studytime:few, absences, G1, G2, G3",
}


@pytest.mark.parametrize("target", PUBLIC)
def test_the_target_of_a_typical_table_is_proposed_with_a_reason(target: str) -> None:
    best = candidates(table(PUBLIC[target]), None)[0]
    assert best["column"] == target and best["reason"]


def test_the_words_of_the_goal_outweigh_the_place() -> None:
    columns = table("age, smoker:yes, bmi, region:cat, charges")
    assert candidates(columns, "who is a smoker?")[0]["column"] == "smoker"


def test_empty_columns_behind_the_last_one_do_not_hide_it() -> None:
    columns = [*table("a, b:cat, c"), {**table("column_4")[0], "all_missing": True, "distinct": 0}]
    assert candidates(columns, None)[0]["column"] == "c"
