-- CreateTable
CREATE TABLE "Invoice" (
    "id" SERIAL NOT NULL,
    "number" TEXT NOT NULL,
    "customer" TEXT NOT NULL,
    "amountCents" INTEGER NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Invoice_pkey" PRIMARY KEY ("id")
);

-- Invoices of the old system
INSERT INTO "Invoice" ("number", "customer", "amountCents")
SELECT 'I' || lpad(n::text, 6, '0'), 'customer ' || (n % 97), 100 + (n * 6151) % 90000
FROM generate_series(1, 1500) AS n;
